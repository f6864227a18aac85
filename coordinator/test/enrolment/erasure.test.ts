import { asPopulationName, decodeBase64url, encodeBase64url, type DeviceId } from "@tributary/core";
import { enrolmentMessage, erasureMessage, erasurePath, PROOF_HEADER } from "@tributary/protocol";
import { generateTufKey, type Ed25519Signer } from "@tributary/tuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { auditedDevice } from "../../src/audit/actors.ts";
import { resolveConfig } from "../../src/config.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { registerErasureRoute } from "../../src/enrolment/erasure-route.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp, type App } from "../../src/http/app.ts";
import { guardFor } from "../operator.ts";
import { openRoom, type Room } from "../room.ts";

const DEFAULT = asPopulationName("default");
let room: Room;
let issuer: EnrolmentRoom;
let server: App;
let disconnected: DeviceId[];

beforeEach(async () => {
  room = await openRoom();
  issuer = await createEnrolment(room);
  disconnected = [];
  const config = resolveConfig({
    dataDir: room.config.dataDir,
    logLevel: "silent",
    allowOrigins: { default: ["https://app.example"], other: ["https://app.example"] },
  });
  ({ app: server } = await createApp({
    config,
    access: createAccessPolicy(config),
    guard: guardFor(),
    version: "0.0.0",
  }));
  registerErasureRoute(server, {
    env: room.env,
    store: room.store,
    issuerPublicKey: issuer.issuerPublicKey,
    disconnect: (device) => disconnected.push(device),
  });
  await server.ready();
});
afterEach(async () => {
  await server.close();
  await room.dispose();
});

async function enrol(key: Ed25519Signer) {
  const token = await issuer.mintToken(DEFAULT);
  const proof = encodeBase64url(await key.sign(enrolmentMessage(token)));
  const answer = await issuer.enrol(DEFAULT, { token, publicKey: encodeBase64url(key.publicKey), proof });
  return { ...answer, bytes: decodeBase64url(answer.certificate) };
}

async function erase(
  certificate: Uint8Array,
  signed: Uint8Array,
  signer: Ed25519Signer,
  population = "default",
) {
  return server.inject({
    method: "DELETE",
    url: erasurePath(population),
    headers: {
      host: "localhost",
      origin: "https://app.example",
      authorization: `Tributary ${encodeBase64url(certificate)}`,
      [PROOF_HEADER]: encodeBase64url(await signer.sign(erasureMessage(signed))),
    },
  });
}

test("a device has its record erased by its key alone, and its certificate admits nobody from then on", async () => {
  const [{ signer: key }, { signer: other }] = [await generateTufKey(), await generateTufKey()];
  const [mine, theirs] = [await enrol(key), await enrol(other)];
  const quarantined = await auditedDevice(room.store.audit, mine.deviceId as DeviceId, room.env.random);
  const codeOf = (answer: { json(): { code: string } }): string => answer.json().code;
  expect(codeOf(await erase(mine.bytes, mine.bytes, other))).toBe("identity/invalid-proof");
  expect(codeOf(await erase(mine.bytes, theirs.bytes, key))).toBe("identity/invalid-proof");
  expect(codeOf(await erase(mine.bytes, mine.bytes, key, "other"))).toBe("identity/wrong-population");
  expect(await room.store.devices.count(DEFAULT)).toBe(2);

  const answer = await erase(mine.bytes, mine.bytes, key);
  expect(answer.json()).toEqual({ erased: true });
  expect(answer.headers["access-control-allow-origin"]).toBe("https://app.example");
  expect(await room.store.devices.count(DEFAULT)).toBe(1);
  expect(await room.store.devices.get(mine.deviceId as DeviceId)).toBeUndefined();
  expect(disconnected).toEqual([mine.deviceId]);
  expect(codeOf(await erase(mine.bytes, mine.bytes, key))).toBe("identity/invalid-certificate");

  // The audit log says that it was, and not whose it was; what it said of the device before goes on to mean the same one.
  const [record] = await room.store.audit.list({ action: "device.erase" }, { limit: 2 });
  expect(record).toMatchObject({
    actor: { kind: "device" },
    object: { device: quarantined, population: "default" },
    detail: {},
  });
  expect(quarantined).not.toBe(mine.deviceId);
  expect(await room.store.audit.pseudonym(mine.deviceId as DeviceId)).toBeUndefined();

  // Who was revoked does not get rid of that.
  await room.store.devices.setState(theirs.deviceId as DeviceId, "revoked");
  expect(codeOf(await erase(theirs.bytes, theirs.bytes, other))).toBe("identity/revoked");
  expect(await room.store.devices.count(DEFAULT)).toBe(1);
});

test("pages of allowed origins may ask for it", async () => {
  const preflight = await server.inject({
    method: "OPTIONS",
    url: erasurePath("default"),
    headers: {
      host: "localhost",
      origin: "https://app.example",
      "access-control-request-method": "DELETE",
      "access-control-request-headers": `authorization, ${PROOF_HEADER}`,
    },
  });
  expect(preflight.headers["access-control-allow-methods"]).toContain("DELETE");
});
