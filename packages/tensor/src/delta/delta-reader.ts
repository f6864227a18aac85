import { invalidDelta } from "./delta-format.ts";

/** Reads a delta from front to back and never beyond its end. */
export class DeltaReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** At most `max`, in the fewest bytes. */
  varint(what: string, max: number): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte >= 128) continue;
      if ((byte === 0 && factor > 1) || value > max)
        throw invalidDelta(`${what} must be at most ${max}, got ${value}`);
      return value;
    }
    throw invalidDelta(`${what} has more than 5 bytes`);
  }

  /** The next bytes, which share memory with the delta. */
  bytes(length: number): Uint8Array {
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  #take(length: number): number {
    if (length > this.remaining)
      throw invalidDelta(`it ends at byte ${this.#bytes.length}, ${length} more are expected at ${this.#at}`);
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
