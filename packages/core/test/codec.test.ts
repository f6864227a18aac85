import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asDigest,
  bool,
  bytes,
  choice,
  decode,
  decodePrefix,
  deviceId,
  digest,
  encode,
  encodeHex,
  f32,
  f64,
  fixedBytes,
  list,
  mapped,
  modelVersion,
  optional,
  struct,
  taggedUnion,
  text,
  TributaryError,
  u16,
  u32,
  u53,
  u8,
  type Codec,
  type CodecType,
} from "@tributary/core";

const Entry = struct({ key: text({ max: 64 }), value: text({ max: 300 }) });
const Offer = struct({
  nonce: fixedBytes(32),
  size: u53,
  ratio: f64,
  small: f32,
  flag: bool,
  weights: digest,
  payload: bytes({ max: 70_000 }),
  detail: list(Entry, { max: 9 }),
  retryAfterMs: optional(u32),
  result: choice({ committed: 1, abandoned: 2 }),
});
const Message = taggedUnion("type", { offer: [1, Offer], ping: [7, struct({ nonce: u16, count: u8 })] });
type Message = CodecType<typeof Message>;

const wellFormed = (maxLength: number) => fc.string({ unit: "grapheme", maxLength });
const offer: fc.Arbitrary<Message> = fc
  .record(
    {
      type: fc.constant("offer" as const),
      nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      size: fc.maxSafeNat(),
      ratio: fc.double(),
      small: fc.float(),
      flag: fc.boolean(),
      weights: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((raw) => asDigest(encodeHex(raw))),
      payload: fc.uint8Array({ maxLength: 400 }),
      detail: fc.array(fc.record({ key: wellFormed(8), value: wellFormed(20) }), { maxLength: 9 }),
      retryAfterMs: fc.nat(),
      result: fc.constantFrom("committed" as const, "abandoned" as const),
    },
    {
      requiredKeys: [
        "type",
        "nonce",
        "size",
        "ratio",
        "small",
        "flag",
        "weights",
        "payload",
        "detail",
        "result",
      ],
    },
  )
  .filter((message) => {
    const encoder = new TextEncoder();
    return message.detail.every(
      ({ key, value }) => encoder.encode(key).length <= 64 && encoder.encode(value).length <= 300,
    );
  });
const ping: fc.Arbitrary<Message> = fc.record({
  type: fc.constant("ping" as const),
  nonce: fc.nat(0xffff),
  count: fc.nat(0xff),
});
const message = fc.oneof(offer, ping);

function codeOf(run: () => unknown): { code: string; path: unknown } {
  try {
    run();
  } catch (error) {
    if (TributaryError.is(error)) return { code: error.code, path: error.detail["path"] };
    throw error;
  }
  throw new Error("expected an error");
}

describe("a message", () => {
  test("comes back as it was, byte for byte the same every time", () => {
    fc.assert(
      fc.property(message, (value) => {
        const encoded = encode(Message, value);
        const back = decode(Message, encoded);
        expect(back).toEqual(value);
        expect(encode(Message, back)).toEqual(encoded);
      }),
    );
  });

  test("cut anywhere is a named error with a field path", () => {
    fc.assert(
      fc.property(message, (value) => {
        const encoded = encode(Message, value);
        for (let length = 0; length < encoded.length; length++) {
          // A larger buffer behind the view: reading past the view would go unnoticed without the bound.
          const { code, path } = codeOf(() => decode(Message, encoded.subarray(0, length)));
          expect(code).toBe("codec/truncated");
          expect(path).toMatch(/^(type|offer|ping)/);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("with bytes behind it is refused, and readable as a prefix", () => {
    fc.assert(
      fc.property(message, fc.uint8Array({ minLength: 1, maxLength: 8 }), (value, tail) => {
        const encoded = encode(Message, value);
        const longer = new Uint8Array([...encoded, ...tail]);
        expect(codeOf(() => decode(Message, longer)).code).toBe("codec/trailing-bytes");
        expect(decodePrefix(Message, longer)).toEqual({ value, size: encoded.length });
      }),
    );
  });

  test("of random bytes either decodes to something with those very bytes, or is a codec error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(1, 7), (noise, tag) => {
        noise[0] = tag;
        try {
          expect(encode(Message, decode(Message, noise))).toEqual(new Uint8Array(noise));
        } catch (error) {
          if (!TributaryError.is(error)) throw error;
          expect(error.code).toMatch(/^codec\//);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("decoded from a Node Buffer is plain and shares no memory with it", () => {
    const encoded = Buffer.from(encode(bytes({ max: 9 }), new Uint8Array([1, 2, 3])));
    const value = decode(bytes({ max: 9 }), encoded);
    encoded.fill(0);
    expect(Buffer.isBuffer(value)).toBe(false);
    expect(value).toEqual(new Uint8Array([1, 2, 3]));
  });
});

describe("one wire form per value", () => {
  const cases: [string, Codec<never>, number[], string][] = [
    ["a bool of 2", bool as never, [2], "codec/not-canonical"],
    ["an unknown choice", choice({ a: 1 }) as never, [0], "codec/unknown-tag"],
    ["an unknown tag", Message as never, [9], "codec/unknown-tag"],
    ["2^53", u53 as never, [0, 0, 0, 0, 0, 0, 0x20, 0], "codec/out-of-range"],
    ["a NaN with a payload", f64 as never, [1, 0, 0, 0, 0, 0, 0xf8, 0x7f], "codec/not-canonical"],
    ["a float32 NaN with a sign", f32 as never, [0, 0, 0xc0, 0xff], "codec/not-canonical"],
    ["a length above the maximum", bytes({ max: 3 }) as never, [4, 1, 1, 1, 1], "codec/too-long"],
    ["a list above the maximum", list(u8, { max: 2 }) as never, [3, 1, 1, 1], "codec/too-long"],
    ["text that is not UTF-8", text({ max: 3 }) as never, [2, 0xc3, 0x28], "codec/invalid-text"],
    ["version 0", modelVersion as never, [0, 0, 0, 0], "codec/invalid-value"],
  ];
  test.each(cases)("%s is refused", (_name, codec, raw, code) => {
    expect(codeOf(() => decode(codec, new Uint8Array(raw))).code).toBe(code);
  });

  test("golden bytes: little-endian, prefixes as wide as their maximum", () => {
    const hex = <T>(codec: Codec<T>, value: T): string => encodeHex(encode(codec, value));
    expect(hex(u16, 0x1234)).toBe("3412");
    expect(hex(u32, 0x12345678)).toBe("78563412");
    expect(hex(u53, 2 ** 53 - 1)).toBe("ffffffffffff1f00");
    expect(hex(f64, -0)).toBe("0000000000000080");
    expect(hex(f32, NaN)).toBe("0000c07f");
    expect(hex(text({ max: 255 }), "\uFEFFé")).toBe("05efbbbfc3a9");
    expect(hex(text({ max: 256 }), "a")).toBe("010061");
    expect(hex(bytes({ max: 65_536 }), new Uint8Array([7]))).toBe("0100000007");
    expect(hex(optional(u8), undefined)).toBe("00");
    expect(hex(Message, { type: "ping", nonce: 1, count: 2 })).toBe("07010002");
    expect(decode(text({ max: 255 }), encode(text({ max: 255 }), "\uFEFFé"))).toBe("\uFEFFé");
  });
});

describe("a value the codec cannot hold", () => {
  test.each([
    ["u8 of 256", () => encode(u8, 256), RangeError],
    ["u32 of 1.5", () => encode(u32, 1.5), RangeError],
    ["u53 of -1", () => encode(u53, -1), RangeError],
    ["31 of 32 bytes", () => encode(fixedBytes(32), new Uint8Array(31)), RangeError],
    ["a lone surrogate", () => encode(text({ max: 9 }), "\ud800"), TypeError],
    ["an unknown variant", () => encode(Message, { type: "toString" } as never), TypeError],
    ["too long a list", () => encode(list(u8, { max: 1 }), [1, 2]), RangeError],
  ])("%s is our own caller's mistake", (_name, run, kind) => {
    expect(run).toThrow(kind);
  });

  test("names the field", () => {
    expect(() => encode(struct({ round: struct({ count: u8 }) }), { round: { count: 300 } })).toThrow(
      /^round\.count\./,
    );
  });

  test("a tag used twice is refused when the codec is made", () => {
    expect(() => taggedUnion("type", { a: [1, struct({})], b: [1, struct({})] })).toThrow(RangeError);
  });
});

test("what a mapping throws becomes codec/invalid-value with the path", () => {
  const even = mapped(
    u8,
    (value) => {
      if (value % 2 === 1) throw new RangeError("even expected");
      return value;
    },
    (value) => value,
  );
  const wrapped = struct({ items: list(struct({ even }), { max: 4 }) });
  expect(codeOf(() => decode(wrapped, new Uint8Array([2, 2, 3])))).toEqual({
    code: "codec/invalid-value",
    path: "items[1].even",
  });
});

test("ids travel raw", () => {
  const id = "00112233445566778899aabbccddeeff";
  expect(encode(deviceId, id as never)).toHaveLength(16);
  expect(decode(deviceId, encode(deviceId, id as never))).toBe(id);
});
