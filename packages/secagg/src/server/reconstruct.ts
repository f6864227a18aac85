import { failure } from "@tributary/core";
import { bytesToNumber, numberToBytes } from "../primitives/field.ts";
import { combine, lagrangeWeights } from "../primitives/shamir.ts";
import type { RevealedPoint } from "./revealed-shares.ts";

/** Decides whether reconstructed bytes are the secret. */
export type Accepts = (secret: Uint8Array<ArrayBuffer>) => boolean | Promise<boolean>;

/**
 * Reconstructs many secrets of one session. Lagrange weights are computed once for each set of holders, and together for
 * those that are prepared; a holder that gave a false share is found by leaving holders out, and is not asked again.
 */
export class Reconstructor {
  readonly #threshold: number;
  readonly #weights = new Map<string, bigint[]>();
  readonly #liars = new Set<number>();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Members whose shares were found to be false. */
  get liars(): readonly number[] {
    return [...this.#liars].map((abscissa) => abscissa - 1).toSorted((a, b) => a - b);
  }

  /** Computes the weights of what will be recovered, unless shares turn out to be false. */
  prepare(secrets: Iterable<readonly RevealedPoint[]>): void {
    const sets = new Map<string, number[]>();
    for (const points of secrets) {
      if (points.length < this.#threshold) continue;
      const abscissas = points.slice(0, this.#threshold).map(({ abscissa }) => abscissa);
      sets.set(abscissas.join(), abscissas);
    }
    const weights = lagrangeWeights([...sets.values()]);
    for (const [i, key] of [...sets.keys()].entries()) this.#weights.set(key, weights[i]!);
  }

  /**
   * @param member - whose secret it is, for errors
   * @throws TributaryError `secagg/below-threshold` with too few shares, `secagg/invalid-share` when no choice of
   * them gives the secret.
   */
  async recover(
    member: number,
    points: readonly RevealedPoint[],
    accepts: Accepts,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const honest = points.filter(({ abscissa }) => !this.#liars.has(abscissa));
    if (honest.length < this.#threshold) {
      throw failure(
        "secagg/below-threshold",
        `secagg: the secret of member ${member} needs ${this.#threshold} shares, got ${honest.length}`,
        { detail: { member, needed: this.#threshold, got: honest.length } },
      );
    }
    const chosen = honest.slice(0, this.#threshold);
    const secret = await this.#try(chosen, accepts);
    if (secret !== undefined) return secret;
    for (const spare of honest.slice(this.#threshold)) {
      for (const [place, suspect] of chosen.entries()) {
        const found = await this.#try(chosen.with(place, spare), accepts);
        if (found === undefined) continue;
        this.#liars.add(suspect.abscissa);
        return found;
      }
    }
    throw failure("secagg/invalid-share", `secagg: the shares of member ${member} do not give its secret`, {
      detail: { member },
    });
  }

  async #try(
    points: readonly RevealedPoint[],
    accepts: Accepts,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const abscissas = points.map(({ abscissa }) => abscissa);
    const key = abscissas.join();
    const weights = this.#weights.get(key) ?? lagrangeWeights([abscissas])[0]!;
    this.#weights.set(key, weights);
    const value = combine(
      weights,
      points.map(({ share }) => bytesToNumber(share)),
    );
    // False shares give any field element, also one that is no 32 bytes.
    if (value >= 2n ** 256n) return undefined;
    const secret = numberToBytes(value, 32);
    if (await accepts(secret)) return secret;
    secret.fill(0);
    return undefined;
  }
}
