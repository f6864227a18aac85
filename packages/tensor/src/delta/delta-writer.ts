import { concatBytes } from "@tributary/core";

/** Writes what `DeltaReader` reads. */
export class DeltaWriter {
  readonly #parts: Uint8Array[] = [];
  #pending: number[] = [];

  u8(value: number): void {
    this.#pending.push(value & 255);
  }

  u16(value: number): void {
    this.#pending.push(value & 255, (value >>> 8) & 255);
  }

  u32(value: number): void {
    this.u16(value & 0xffff);
    this.u16(value >>> 16);
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.u8((rest % 128) | 128);
    this.u8(rest);
  }

  /** Not copied. */
  bytes(bytes: Uint8Array): void {
    this.#flush();
    this.#parts.push(bytes);
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    return concatBytes(...this.#parts);
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#parts.push(Uint8Array.from(this.#pending));
    this.#pending = [];
  }
}
