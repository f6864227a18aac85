import { squaredNorm } from "@tributary/tensor";
import { combination } from "./combination.ts";
import type { RobustRule } from "./robust-rule.ts";

/**
 * FLTrust (Cao et al. 2021, https://arxiv.org/abs/2012.13995): an update counts by the cosine of its angle to one that
 * the server trained itself on a small clean data set, not at all when it points away, and is brought to that one's
 * norm. Two passes. When no update is trusted the result is zero.
 *
 * @param root the server's own update from the same base weights
 */
export function flTrust(root: Float32Array): RobustRule {
  const rootNorm = Math.sqrt(squaredNorm(root));
  if (!(rootNorm > 0 && rootNorm < Infinity)) {
    throw new RangeError(`flTrust: the server's own update must have a norm above 0, got ${rootNorm}`);
  }
  return function* ({ numExamples: { length: count }, length }) {
    if (root.length !== length) {
      throw new RangeError(`flTrust: a root update of ${length} values expected, got ${root.length}`);
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
    const trust = dots.map((dot, row) => Math.max(0, dot / (Math.sqrt(squares[row]!) * rootNorm || 1)));
    const total = trust.reduce((sum, score) => sum + score, 0);
    const factors = trust.map((score, row) =>
      score === 0 ? 0 : (score * rootNorm) / (Math.sqrt(squares[row]!) * total),
    );
    return yield* combination(length, factors);
  };
}
