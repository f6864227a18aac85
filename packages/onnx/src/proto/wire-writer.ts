import { WIRE } from "./wire-reader.ts";

const utf8 = new TextEncoder();

/** Appends protobuf wire format to a growing buffer. Nested messages are written as finished chunks. */
export class WireWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  readonly #exact: boolean;

  /** `exact`: exactly `capacity` bytes will be written, which {@link finish} then need not copy. */
  constructor(capacity = 256, exact = false) {
    this.#buffer = new Uint8Array(capacity);
    this.#exact = exact;
  }

  /** The bytes written so far, in a buffer of their own. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#exact && this.#length === this.#buffer.length) return this.#buffer;
    return this.#buffer.slice(0, this.#length);
  }

  /** The bytes written so far, as a view that further writing invalidates. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** A varint; negative values take ten bytes (two's complement), as protobuf's int32 and int64 do. */
  varint(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value <= 0x7fff_ffff) {
      this.#reserve(5);
      let rest = value;
      while (rest > 0x7f) {
        this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#buffer[this.#length++] = rest;
      return;
    }
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  float(value: number): void {
    this.#reserve(4);
    new DataView(this.#buffer.buffer).setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  double(value: number): void {
    this.#reserve(8);
    new DataView(this.#buffer.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Bytes as they are, without a length in front. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A whole length-delimited field. */
  bytesField(number: number, bytes: Uint8Array): void {
    this.tag(number, WIRE.bytes);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  textField(number: number, text: string): void {
    this.bytesField(number, utf8.encode(text));
  }

  #reserve(extra: number): void {
    if (this.#exact) return;
    const needed = this.#length + extra;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.view());
    this.#buffer = larger;
  }
}
