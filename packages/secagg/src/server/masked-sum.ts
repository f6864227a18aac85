import { failure, type Digest } from "@tributary/core";
import type { EncodingPlan } from "../encoding/plan-encoding.ts";
import { PackedAdder } from "../encoding/packed-adder.ts";
import { addVector, reduceToRing } from "../encoding/ring.ts";

/** Adds masked vectors as they come: it holds one vector, however many members there are. */
export class MaskedSum {
  readonly #plan: EncodingPlan;
  readonly #sum: Uint32Array<ArrayBuffer>;
  readonly #adder = new PackedAdder();
  readonly #digests = new Map<number, Digest>();

  constructor(plan: EncodingPlan) {
    this.#plan = plan;
    this.#sum = new Uint32Array(plan.vectorLength);
  }

  /** U3. */
  get members(): readonly number[] {
    return [...this.#digests.keys()].toSorted((a, b) => a - b);
  }

  /**
   * The same upload again counts once.
   *
   * @param digest - of the upload as it came
   * @throws TributaryError `secagg/already-uploaded` for another one, `secagg/wrong-length`.
   */
  fold(member: number, packed: Uint8Array, digest: Digest): "folded" | "repeated" {
    const before = this.#digests.get(member);
    if (before === digest) return "repeated";
    if (before !== undefined) {
      throw failure(
        "secagg/already-uploaded",
        `secagg: member ${member} has sent ${before} and now sends ${digest}`,
        { detail: { member } },
      );
    }
    this.#adder.add(this.#sum, packed, this.#plan.segments);
    this.#digests.set(member, digest);
    return "folded";
  }

  /** Takes the masks away, in place; the sum of the members' codes, in their rings. */
  unmask(maskSums: readonly Uint32Array[]): Uint32Array<ArrayBuffer> {
    for (const masks of maskSums) addVector(this.#sum, masks, -1);
    reduceToRing(this.#sum, this.#plan.segments);
    return this.#sum;
  }
}
