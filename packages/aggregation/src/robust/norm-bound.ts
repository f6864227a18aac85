import { combination, squaredNorms } from "./combination.ts";
import { shares, type RobustRule } from "./robust-rule.ts";

/**
 * The mean by examples of updates that are scaled down to a norm first (Sun et al. 2019,
 * https://arxiv.org/abs/1911.07963): min(1, maxNorm / ||x||). No update moves the model further than its share of
 * maxNorm. Two passes.
 *
 * @param options.maxNorm L2 norm, above 0
 */
export function normBound(options: { readonly maxNorm: number }): RobustRule {
  const { maxNorm } = options;
  if (!(maxNorm > 0 && maxNorm < Infinity)) {
    throw new RangeError(`normBound: maxNorm must be above 0, got ${maxNorm}`);
  }
  return function* ({ numExamples, length }) {
    const squares = yield* squaredNorms(numExamples.length);
    const factors = shares(numExamples).map(
      (share, row) => share * Math.min(1, maxNorm / Math.sqrt(squares[row]!)),
    );
    return yield* combination(length, factors);
  };
}
