import { createRequire } from "node:module";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { asPopulationName, decodeBase64url, encodeBase64url } from "@tributary/core";
import {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  encodeServerMessage,
  enrolmentMessage,
  deviceIdOf,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVICE_MESSAGES, SERVER_MESSAGES } from "../../src/gateway/socket-schemas.ts";
import { valueOf } from "../contract/arbitrary.ts";
import type { Contract, Schema } from "../contract/document.ts";
import { DeviceSocket, type TestIdentity } from "../device-socket.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const ajv = new Ajv({ strict: false });
addFormats.default(ajv);

/** No references in them. */
const plain = { follow: <Value>(schema: Value) => schema } as Contract;

describe("the schemas say what the codecs write and read", () => {
  const cases = [
    ...Object.entries(SERVER_MESSAGES).map(([type, schema]) => [type, schema, throughServer] as const),
    ...Object.entries(DEVICE_MESSAGES).map(([type, schema]) => [type, schema, throughDevice] as const),
  ];
  test.each(cases)("%s", (type, schema, through) => {
    fc.assert(
      fc.property(valueOf(plain, schema as unknown as Schema), (value) => {
        const message = { type, ...withBytes(schema as unknown as Schema, inAscii(value)) };
        expect(through(message as never)).toEqual(message);
      }),
      { numRuns: 10 },
    );
  });
});

describe("served", () => {
  let coordinator: RunningCoordinator;
  beforeAll(async () => {
    coordinator = await runningCoordinator();
  });
  afterAll(() => coordinator.end());

  test("the document is AsyncAPI 3.0, and a device's session is as it says", async () => {
    const document = (await (await coordinator.request("/asyncapi.json")).json()) as {
      components: { messages: Record<string, { payload: Schema }> };
    };
    const specification = createRequire(import.meta.url)(
      "@asyncapi/specs/schemas/3.0.0-without-$id.json",
    ) as Schema;
    const check = ajv.compile(specification);
    expect(check(document) ? [] : check.errors).toEqual([]);

    const socket = await DeviceSocket.connect(coordinator.url, await enrolled(coordinator));
    socket.send({ type: "subscribe", model: "digits" as never, channel: "stable" });
    socket.send({ type: "check-in", task: "none" as never, examples: 3 });
    socket.send({ type: "heartbeat", nonce: 7 });
    await socket.next("heartbeat-ack").then((message) => socket.received.push(message));
    const seen = new Set<string>();
    for (const { type, ...fields } of socket.received) {
      seen.add(type);
      const valid = ajv.compile(document.components.messages[type]!.payload);
      expect(valid(asText(fields)) ? [] : [type, valid.errors]).toEqual([]);
    }
    expect([...seen]).toContain("heartbeat-ack");
    expect(seen.size).toBeGreaterThan(1);
    await socket.close();
  });
});

const throughServer = (message: ServerMessage) => decodeServerMessage(encodeServerMessage(message));
const throughDevice = (message: DeviceMessage) => decodeDeviceMessage(encodeDeviceMessage(message));

async function enrolled(coordinator: RunningCoordinator): Promise<TestIdentity> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sign = async (message: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message));
  const token = await coordinator.mintEnrolmentToken(asPopulationName("default"));
  const response = await coordinator.request("/v1/populations/default/enrolments", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(publicKey),
      proof: encodeBase64url(await sign(enrolmentMessage(token))),
    }),
  });
  const { certificate } = (await response.json()) as { certificate: string };
  return { deviceId: await deviceIdOf(publicKey), certificate: decodeBase64url(certificate), sign };
}

/** Texts that stand for bytes, as bytes of an allowed length. */
function withBytes(schema: Schema, value: unknown): Record<string, unknown> {
  const properties = schema["properties"] as Readonly<Record<string, Schema>>;
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([name, field]) => {
      const { contentEncoding, "x-minBytes": min = 0 } = properties[name]!;
      return [name, contentEncoding === undefined ? field : new Uint8Array(min as number).fill(7)];
    }),
  );
}

/** A field's bytes are counted, its schema counts characters. */
function inAscii(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, node: unknown) =>
    typeof node === "string" ? node.replaceAll(/[^\x20-\x7e]/gu, "x") : node,
  );
}

/** As the document shows it: bytes in base64url. */
function asText(fields: object): unknown {
  return JSON.parse(
    JSON.stringify(fields, (_key, value: unknown) =>
      value instanceof Uint8Array ? encodeBase64url(Uint8Array.from(value)) : value,
    ),
  );
}
