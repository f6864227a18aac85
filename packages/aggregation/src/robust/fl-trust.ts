import { squaredNorm } from "@tributary/tensor";
import { combination } from "./combination.ts";
import type { RobustRule } from "./robust-rule.ts";

/** What may be said of one aggregation. */
export interface TrustOptions {
  /** Of each row, 0 to 1: it counts so much less than its trust. Left out: none. The rule is blind to the length of a row. */
  readonly discounts?: readonly number[];
  /** Is told the trust scores of the rows, 0 to 1, before the last pass. */
  readonly observe?: (trust: Float64Array) => void;
}

/**
 * FLTrust (Cao et al. 2021, https://arxiv.org/abs/2012.13995): an update counts by the cosine of its angle to one that
 * the server trained itself on a small clean data set, not at all when it points away, and is brought to that one's
 * norm: sum of TS_i (||g_0|| / ||g_i||) g_i / sum of TS_i. Two passes. When no update is trusted, or the server's own is
 * zero, the result is zero.
 *
 * @param root the server's own update from the same base weights
 */
export function flTrust(root: Float32Array, { discounts, observe }: TrustOptions = {}): RobustRule {
  const rootNorm = Math.sqrt(squaredNorm(root));
  if (!Number.isFinite(rootNorm)) {
    throw new RangeError(`flTrust: the server's own update must be finite, its norm is ${rootNorm}`);
  }
  return function* ({ numExamples: { length: count }, length }) {
    if (root.length !== length) {
      throw new RangeError(`flTrust: a root update of ${length} values expected, got ${root.length}`);
    }
    if (discounts !== undefined && discounts.length !== count) {
      throw new RangeError(`flTrust: ${count} discounts expected, got ${discounts.length}`);
    }
    const dots = new Float64Array(count);
    const squares = new Float64Array(count);
    yield ({ begin, rows, length: size }) => {
      for (let row = 0; row < count; row++) {
        const values = rows[row]!;
        let [dot, square] = [0, 0];
        for (let i = 0; i < size; i++) {
          dot += values[i]! * root[begin + i]!;
          square += values[i]! * values[i]!;
        }
        dots[row]! += dot;
        squares[row]! += square;
      }
    };
    const trust = dots.map((dot, row) => {
      const cosine = dot / (Math.sqrt(squares[row]!) * rootNorm || 1);
      return Math.min(1, Math.max(0, cosine));
    });
    observe?.(trust);
    const total = trust.reduce((sum, score) => sum + score, 0);
    const factors = trust.map((score, row) =>
      score === 0 ? 0 : ((discounts?.[row] ?? 1) * score * rootNorm) / (Math.sqrt(squares[row]!) * total),
    );
    return yield* combination(length, factors);
  };
}
