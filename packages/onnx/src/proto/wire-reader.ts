import { failure } from "@tributary/core";

/** Protobuf wire types that ONNX uses; groups (3, 4) are long deprecated and refused. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8 = new TextDecoder("utf-8", { fatal: true });

const LARGEST_TAG = 2 ** 32 - 1;

/**
 * A bounded cursor over protobuf wire format. Reads never pass `end`; sub-readers are views, nothing
 * is copied. Errors: `onnx/truncated`, `onnx/invalid-model`.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, view?: DataView) {
    this.bytes = bytes;
    this.#view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** A reader of a part of the same bytes. */
  within(start: number, end: number): WireReader {
    return new WireReader(this.bytes, start, end, this.#view);
  }

  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** What stands in front of every field: its number times 8, and its wire type. */
  tag(): number {
    const at = this.#at;
    const key = this.#unsigned();
    if (key > LARGEST_TAG || key < 8) {
      throw failure("onnx/invalid-model", `onnx: invalid field tag ${key} at byte ${at}`);
    }
    return key;
  }

  /** An unsigned 64-bit varint of at most ten bytes. */
  varint(): bigint {
    const start = this.#at;
    const low = this.#lowBits(start);
    return low >= 0 ? BigInt(low) : this.#longVarint(start);
  }

  /** A signed 64-bit varint; rounded beyond 2^53. */
  int64(): number {
    const start = this.#at;
    const low = this.#lowBits(start);
    return low >= 0 ? low : Number(BigInt.asIntN(64, this.#longVarint(start)));
  }

  #unsigned(): number {
    const start = this.#at;
    const low = this.#lowBits(start);
    return low >= 0 ? low : Number(this.#longVarint(start));
  }

  /** Four bytes (28 bits) cover nearly every value and need no BigInt; -1 where there are more. */
  #lowBits(start: number): number {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte(start);
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return low;
    }
    return -1;
  }

  #longVarint(start: number): bigint {
    let value = 0n;
    this.#at = start;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte(start);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) break;
        return value;
      }
    }
    throw failure("onnx/invalid-model", `onnx: varint at byte ${start} does not fit 64 bits`);
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** A length-delimited payload as a view on the input. */
  payload(): Uint8Array {
    const [start, end] = this.range();
    return this.bytes.subarray(start, end);
  }

  /** A length-delimited payload as the half-open range of its bytes. */
  range(): [start: number, end: number] {
    const at = this.#at;
    const length = this.#unsigned();
    const left = this.#end - this.#at;
    if (length > left) {
      throw failure(
        "onnx/truncated",
        `onnx: field at byte ${at} announces ${length} bytes, ${left} are left`,
      );
    }
    const start = this.#advance(length);
    return [start, this.#at];
  }

  text(): string {
    const at = this.#at;
    const payload = this.payload();
    try {
      return utf8.decode(payload);
    } catch (cause) {
      throw failure("onnx/invalid-model", `onnx: text at byte ${at} is not UTF-8`, { cause });
    }
  }

  skip(wireType: number): void {
    switch (wireType) {
      case WIRE.varint:
        this.#unsigned();
        return;
      case WIRE.fixed64:
        this.#advance(8);
        return;
      case WIRE.bytes:
        this.range();
        return;
      case WIRE.fixed32:
        this.#advance(4);
        return;
      default:
        throw failure(
          "onnx/invalid-model",
          `onnx: wire type ${wireType} before byte ${this.#at} is not in use; is this an ONNX file?`,
        );
    }
  }

  #byte(start: number): number {
    const byte = this.#at < this.#end ? this.bytes[this.#at] : undefined;
    if (byte === undefined) {
      throw failure("onnx/truncated", `onnx: input ends inside the varint at byte ${start}`);
    }
    this.#at += 1;
    return byte;
  }

  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      throw failure(
        "onnx/truncated",
        `onnx: ${length} bytes expected at byte ${at}, ${this.#end - at} are left`,
      );
    }
    this.#at = at + length;
    return at;
  }
}
