import { failure } from "@tributary/core";

/**
 * Bytes that may be used once. They show in no log, no JSON and no structured clone; `take` hands them over and
 * forgets them, `erase` overwrites them.
 */
export class Secret {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly #name: string;

  /** Takes ownership of the bytes. */
  constructor(name: string, bytes: Uint8Array<ArrayBuffer>) {
    this.#name = name;
    this.#bytes = bytes;
  }

  get isSpent(): boolean {
    return this.#bytes === undefined;
  }

  /** The bytes, for the one use. The caller overwrites them. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    if (bytes === undefined) {
      throw failure("secagg/secret-spent", `secagg: ${this.#name} was used or erased already`);
    }
    this.#bytes = undefined;
    return bytes;
  }

  erase(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toJSON(): string {
    return `[secret ${this.#name}]`;
  }
}
