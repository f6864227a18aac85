import { failure } from "@tributary/core";

/**
 * An encoded update. Once it has entered a masked vector it is spent, whatever becomes of the cohort: a server that
 * calls a cohort dissolved must not get a second sum that differs in one member.
 */
export class SpendableVector {
  #codes: Uint32Array<ArrayBuffer> | undefined;
  readonly length: number;

  /** Takes ownership of the codes. */
  constructor(codes: Uint32Array<ArrayBuffer>) {
    this.#codes = codes;
    this.length = codes.length;
  }

  get isSpent(): boolean {
    return this.#codes === undefined;
  }

  /**
   * The codes, once; whoever takes them overwrites them.
   *
   * @throws TributaryError `secagg/update-spent`.
   */
  spend(): Uint32Array<ArrayBuffer> {
    const codes = this.#codes;
    if (codes === undefined)
      throw failure("secagg/update-spent", "secagg: the update was spent or erased; train anew");
    this.#codes = undefined;
    return codes;
  }

  erase(): void {
    this.#codes?.fill(0);
    this.#codes = undefined;
  }

  toJSON(): string {
    return `[update of ${this.length} codes]`;
  }
}
