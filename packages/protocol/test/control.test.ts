import { readFileSync } from "node:fs";
import { decodeHex, encodeHex, failure, TributaryError } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  encodeServerMessage,
  errorOfRefusal,
  LIMITS,
  refusalOf,
  type DeviceMessage,
  type ServerMessage,
} from "../src/index.ts";
import { deviceMessage, serverMessage } from "./arbitrary-message.ts";
import { reviveVector, type Vector } from "./vectors/vector.ts";

const decoders = { server: decodeServerMessage, device: decodeDeviceMessage } as const;

describe.each([
  {
    side: "server",
    messages: serverMessage as fc.Arbitrary<ServerMessage | DeviceMessage>,
    encode: (message: ServerMessage | DeviceMessage) => encodeServerMessage(message as ServerMessage),
  },
  {
    side: "device",
    messages: deviceMessage as fc.Arbitrary<ServerMessage | DeviceMessage>,
    encode: (message: ServerMessage | DeviceMessage) => encodeDeviceMessage(message as DeviceMessage),
  },
] as const)("$side messages", ({ side, messages, encode }) => {
  const decode = decoders[side];

  test("come back as they were sent, and fit a frame", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const frame = encode(message);
        expect(frame.length).toBeLessThanOrEqual(LIMITS.maxFrameBytes);
        expect(decode(frame)).toEqual(message);
        expect(encode(decode(frame) as typeof message)).toEqual(frame);
      }),
      { numRuns: 500 },
    );
  });

  test("every truncation and every extra byte is a coded error", () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, cut) => {
        const frame = encode(message);
        expect(codeOf(() => decode(frame.subarray(0, cut % frame.length)))).toMatch(/^codec\//);
        expect(codeOf(() => decode(Uint8Array.of(...frame, 0)))).toBe("codec/trailing-bytes");
      }),
      { numRuns: 300 },
    );
  });

  test("garbage is a coded error or a message that encodes to the same bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let message;
        try {
          message = decode(bytes);
        } catch (error) {
          expect(TributaryError.is(error)).toBe(true);
          return;
        }
        expect(encode(message as never)).toEqual(Uint8Array.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

test("a message of the other direction is an unknown tag", () => {
  const heartbeat = encodeDeviceMessage({ type: "heartbeat", nonce: 7 });
  expect(codeOf(() => decodeServerMessage(heartbeat))).toBe("codec/unknown-tag");
});

test("a frame above the limit is refused before it is read", () => {
  const frame = new Uint8Array(LIMITS.maxFrameBytes + 1);
  expect(codeOf(() => decodeDeviceMessage(frame))).toBe("protocol/frame-too-large");
});

test("an error goes over the wire as code, public message and detail, never its own text", () => {
  const error = failure("round/stale-round", "secret path /var/lib", { detail: { round: 7 } });
  const refusal = decodeServerMessage(encodeServerMessage(refusalOf(error, { retryAfterMs: 500 })));
  if (refusal.type !== "refusal") throw new Error("expected a refusal");
  expect(JSON.stringify(refusal)).not.toContain("/var/lib");
  const back = errorOfRefusal(refusal);
  expect(back.code).toBe("round/stale-round");
  expect(back.detail).toMatchObject({ round: "7" });
});

test("a refusal is cut to its limits at a character border", () => {
  const error = failure("round/stale-round", "x", { detail: { long: "ü".repeat(500) } });
  const refusal = refusalOf(error);
  expect(decodeServerMessage(encodeServerMessage(refusal))).toEqual(refusal);
  expect(refusal.detail[0]!.value).toBe("ü".repeat(128));
});

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/control.json", import.meta.url), "utf8"),
) as Vector[];

describe("test vectors", () => {
  test.each(vectors)("$side $name", (vector) => {
    const message = reviveVector(vector.message);
    const frame =
      vector.side === "server"
        ? encodeServerMessage(message as ServerMessage)
        : encodeDeviceMessage(message as DeviceMessage);
    expect(encodeHex(frame)).toBe(vector.frame);
    expect(decoders[vector.side](decodeHex(vector.frame))).toEqual(message);
  });

  test("cover every message type", () => {
    expect(new Set(vectors.map((vector) => (vector.message as { type: string }).type)).size).toBe(22);
  });

  test("stand in SPEC.md", () => {
    const spec = readFileSync(new URL("../SPEC.md", import.meta.url), "utf8");
    for (const vector of vectors) expect(spec).toContain(`\`${vector.frame}\``);
  });
});
