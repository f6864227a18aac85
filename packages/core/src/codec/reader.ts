import { copyBytes } from "../bytes.ts";
import { failure, type TributaryError } from "../errors.ts";
import type { ErrorCode } from "../error-catalog.ts";

/** Reads a bounded byte range from front to back; every failure names the field and the offset. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Dotted path of the field being read: `offer.plan.targets[3]`. */
  get path(): string {
    let text = "";
    for (const part of this.#path) {
      text += typeof part === "number" ? `[${part}]` : text === "" ? part : `.${part}`;
    }
    return text;
  }

  /** Names what is read next, for errors; pair with `leave`. */
  enter(part: string | number): void {
    this.#path.push(part);
  }

  leave(): void {
    this.#path.pop();
  }

  /** The error for a bad field at the present place. */
  fail(code: ErrorCode, message: string, cause?: unknown): TributaryError {
    const path = this.path;
    return failure(code, `${path === "" ? "message" : path}: ${message} (at byte ${this.#at})`, {
      detail: { path, offset: this.#at },
      ...(cause === undefined ? {} : { cause }),
    });
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

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A copy of the next bytes: what was decoded never shares memory with the input. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const from = this.#take(length);
    return copyBytes(this.#bytes, from, from + length);
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw this.fail("codec/truncated", `${length} bytes expected, ${this.remaining} left`);
    }
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
