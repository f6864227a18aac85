import { ByteReader } from "./reader.ts";
import { ByteWriter } from "./writer.ts";

declare const fields: unique symbol;

/**
 * One value's bytes: deterministic, bounded, little-endian. Written as properties, not methods, so that a
 * codec with a missing or an extra field does not compile against its interface.
 *
 * @typeParam Fields - left to its default: types that differ by an optional field alone pass for each other, their keys do not
 */
export interface Codec<T, Fields = T extends object ? keyof T : never> {
  readonly write: (writer: ByteWriter, value: T) => void;
  readonly read: (reader: ByteReader) => T;
  /** Never set. */
  readonly [fields]?: (field: Fields) => Fields;
}

/** The type a codec reads and writes. */
export type CodecType<C> = C extends Pick<Codec<infer T>, "read"> ? T : never;

/** Bytes of a value. A value outside its codec's range is the caller's fault: TypeError or RangeError. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  codec.write(writer, value);
  return writer.finish();
}

/** The value of exactly these bytes; throws `codec/*` with the field path, also for bytes left over. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const { value, size } = decodePrefix(codec, bytes);
  if (size !== bytes.length) {
    const reader = new ByteReader(bytes);
    throw reader.fail(
      "codec/trailing-bytes",
      `${bytes.length - size} bytes are left after the ${size} of the message`,
    );
  }
  return value;
}

/** The value at the front of the bytes, and how many it took: for headers before bulk data. */
export function decodePrefix<T>(codec: Codec<T>, bytes: Uint8Array): { value: T; size: number } {
  const reader = new ByteReader(bytes);
  const value = codec.read(reader);
  return { value, size: reader.offset };
}
