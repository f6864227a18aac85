import { expect, test } from "vitest";
import {
  asDeviceId,
  asRoundId,
  encode,
  optional,
  seededRandom,
  struct,
  systemRandom,
  taggedUnion,
  text,
  u32,
  type Codec,
  type DeviceId,
  type RoundId,
  type SecureRandom,
  type SeededRandom,
} from "@tributary/core";

// What must not compile: `tsc -b` fails when one of these lines is accepted.

interface Ping {
  readonly nonce: number;
  readonly note?: string;
}
const note = optional(text({ max: 8 }));

test("a codec has the fields of its interface, no more and no fewer", () => {
  const exact: Codec<Ping> = struct({ nonce: u32, note });
  // @ts-expect-error a field is missing
  const missing: Codec<Ping> = struct({ note });
  // @ts-expect-error an optional field is missing
  const missingOptional: Codec<Ping> = struct({ nonce: u32 });
  // @ts-expect-error a field too many
  const extra: Codec<Ping> = struct({ nonce: u32, note, count: u32 });
  // @ts-expect-error an optional field too many
  const extraOptional: Codec<Ping> = struct({ nonce: u32, note, count: optional(u32) });
  // @ts-expect-error a field of another type
  const other: Codec<Ping> = struct({ nonce: text({ max: 8 }), note });
  expect([exact, missing, missingOptional, extra, extraOptional, other]).toHaveLength(6);
});

test("a union's codec has every variant", () => {
  type Message = { readonly type: "ping"; readonly nonce: number } | { readonly type: "stop" };
  const ping = struct({ nonce: u32 });
  const exact: Codec<Message> = taggedUnion("type", { ping: [1, ping], stop: [2, struct({})] });
  // @ts-expect-error "stop" is missing
  const missing: Codec<Message> = taggedUnion("type", { ping: [1, ping] });
  // @ts-expect-error there is no "go"
  const extra: Codec<Message> = taggedUnion("type", {
    ping: [1, ping],
    stop: [2, struct({})],
    go: [3, struct({})],
  });
  expect([exact, missing, extra]).toHaveLength(3);
});

test("a value is held to its codec", () => {
  const ping: Codec<Ping> = struct({ nonce: u32, note });
  expect(encode(ping, { nonce: 1 })).toHaveLength(5);
  // @ts-expect-error a field is missing
  expect(() => encode(ping, {})).toThrow(RangeError);
  // @ts-expect-error a text where a number belongs
  expect(() => encode(ping, { nonce: "1" })).toThrow(RangeError);
});

test("the two kinds of randomness do not mix", () => {
  const secret = (random: SecureRandom) => random.kind;
  const draw = (random: SeededRandom) => random.kind;
  expect(secret(systemRandom)).toBe("secure");
  expect(draw(seededRandom(1))).toBe("seeded");
  // @ts-expect-error seeded numbers make no keys
  expect(secret(seededRandom(1))).toBe("seeded");
  // @ts-expect-error nothing that has to repeat is drawn from the platform
  expect(draw(systemRandom)).toBe("secure");
});

test("ids are no plain texts, and none stands for another", () => {
  const device: DeviceId = asDeviceId("0".repeat(32));
  const round: RoundId = asRoundId("digits-1");
  // @ts-expect-error a text that nobody checked
  const unchecked: DeviceId = "0".repeat(32);
  // @ts-expect-error a round is no device
  const other: DeviceId = round;
  expect([device, unchecked, other]).toHaveLength(3);
});
