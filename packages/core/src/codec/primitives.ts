import { decodeHex, encodeHex, encodeUtf8, decodeUtf8 } from "../bytes.ts";
import { asDigest, type Digest } from "../ids.ts";
import type { Codec } from "./codec.ts";
import type { ByteReader } from "./reader.ts";
import type { ByteWriter } from "./writer.ts";

function integer(
  name: string,
  max: number,
  write: (w: ByteWriter, v: number) => void,
  read: (r: ByteReader) => number,
): Codec<number> {
  return {
    write(writer, value) {
      if (!Number.isInteger(value) || value < 0 || value > max) {
        throw new RangeError(`${name}: an integer from 0 to ${max} expected, got ${value}`);
      }
      write(writer, value);
    },
    read,
  };
}

export const u8: Codec<number> = integer(
  "u8",
  0xff,
  (w, v) => w.u8(v),
  (r) => r.u8(),
);
export const u16: Codec<number> = integer(
  "u16",
  0xffff,
  (w, v) => w.u16(v),
  (r) => r.u16(),
);
export const u32: Codec<number> = integer(
  "u32",
  0xffff_ffff,
  (w, v) => w.u32(v),
  (r) => r.u32(),
);

/** A non-negative safe integer, in 8 bytes: times and sizes. */
export const u53: Codec<number> = integer(
  "u53",
  Number.MAX_SAFE_INTEGER,
  (w, v) => {
    w.u32(v % 2 ** 32);
    w.u32(Math.floor(v / 2 ** 32));
  },
  (r) => {
    const low = r.u32();
    const high = r.u32();
    if (high > 0x1f_ffff) throw r.fail("codec/out-of-range", "an integer below 2^53 expected");
    return high * 2 ** 32 + low;
  },
);

const nanCheck = new DataView(new ArrayBuffer(8));

/** IEEE 754 binary32; NaN has one form. Writing rounds to the nearest float32. */
export const f32: Codec<number> = {
  write(writer, value) {
    if (Number.isNaN(value)) writer.u32(0x7fc0_0000);
    else writer.f32(value);
  },
  read(reader) {
    const bits = reader.u32();
    nanCheck.setUint32(0, bits);
    const value = nanCheck.getFloat32(0);
    if (Number.isNaN(value) && bits !== 0x7fc0_0000)
      throw reader.fail("codec/not-canonical", "NaN in its one form expected");
    return value;
  },
};

/** IEEE 754 binary64; NaN has one form. */
export const f64: Codec<number> = {
  write(writer, value) {
    if (Number.isNaN(value)) {
      writer.u32(0);
      writer.u32(0x7ff8_0000);
    } else writer.f64(value);
  },
  read(reader) {
    const low = reader.u32();
    const high = reader.u32();
    nanCheck.setUint32(0, high);
    nanCheck.setUint32(4, low);
    const value = nanCheck.getFloat64(0);
    if (Number.isNaN(value) && (low !== 0 || high !== 0x7ff8_0000)) {
      throw reader.fail("codec/not-canonical", "NaN in its one form expected");
    }
    return value;
  },
};

export const bool: Codec<boolean> = {
  write(writer, value) {
    if (typeof value !== "boolean") throw new TypeError(`bool: true or false expected, got ${String(value)}`);
    writer.u8(value ? 1 : 0);
  },
  read(reader) {
    const byte = reader.u8();
    if (byte > 1) throw reader.fail("codec/not-canonical", `0 or 1 expected, got ${byte}`);
    return byte === 1;
  },
};

/** A prefix that counts up to `max`: one, two or four bytes wide, by `max` alone. */
export function lengthPrefix(max: number): Codec<number> {
  if (!Number.isInteger(max) || max < 0 || max > 0xffff_ffff)
    throw new RangeError(`max must be an integer from 0 to 2^32-1, got ${max}`);
  const width = max <= 0xff ? u8 : max <= 0xffff ? u16 : u32;
  return {
    write(writer, value) {
      if (value > max) throw new RangeError(`a length of at most ${max} expected, got ${value}`);
      width.write(writer, value);
    },
    read(reader) {
      const value = width.read(reader);
      if (value > max)
        throw reader.fail("codec/too-long", `a length of at most ${max} expected, got ${value}`);
      return value;
    },
  };
}

/** Exactly `length` bytes, without a prefix. */
export function fixedBytes(length: number): Codec<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length !== length)
        throw new RangeError(`fixedBytes: ${length} bytes expected, got ${value.length}`);
      writer.bytes(value);
    },
    read: (reader) => reader.bytes(length),
  };
}

/** Up to `max` bytes. */
export function bytes({ max }: { max: number }): Codec<Uint8Array> {
  const prefix = lengthPrefix(max);
  return {
    write(writer, value) {
      prefix.write(writer, value.length);
      writer.bytes(value);
    },
    read: (reader) => reader.bytes(prefix.read(reader)),
  };
}

/** Text of up to `max` UTF-8 bytes. */
export function text({ max }: { max: number }): Codec<string> {
  const raw = bytes({ max });
  return {
    write(writer, value) {
      if (typeof value !== "string" || !value.isWellFormed())
        throw new TypeError("text: a string without lone surrogates expected");
      raw.write(writer, encodeUtf8(value));
    },
    read(reader) {
      const encoded = raw.read(reader);
      try {
        return decodeUtf8(encoded);
      } catch (cause) {
        throw reader.fail("codec/invalid-text", "valid UTF-8 expected", cause);
      }
    },
  };
}

/** A SHA-256, 32 raw bytes on the wire. */
export const digest: Codec<Digest> = {
  write: (writer, value) => writer.bytes(decodeHex(asDigest(value))),
  read: (reader) => encodeHex(reader.bytes(32)) as Digest,
};
