import { combination, combineInto } from "./combination.ts";
import { shares, type RobustRule } from "./robust-rule.ts";

export interface GeometricMedianOptions {
  /** Rounds of reweighting. @defaultValue 4 */
  readonly iterations?: number;
  /** nu: distances below this count as this. @defaultValue 1e-6 */
  readonly smoothing?: number;
}

/**
 * The point with the least sum of distances to the updates, weighted by their examples: RFA's smoothed Weiszfeld
 * iteration (Pillutla et al. 2022, https://arxiv.org/abs/1912.13445). It begins at the weighted mean; every
 * iteration reads the updates once, and a last pass gives the result.
 */
export function geometricMedian(options: GeometricMedianOptions = {}): RobustRule {
  const { iterations = 4, smoothing = 1e-6 } = options;
  if (!Number.isSafeInteger(iterations) || iterations < 1) {
    throw new RangeError(`geometricMedian: iterations must be an integer of at least 1, got ${iterations}`);
  }
  if (!(smoothing > 0 && smoothing < Infinity)) {
    throw new RangeError(`geometricMedian: smoothing must be above 0, got ${smoothing}`);
  }
  return function* ({ numExamples, length }) {
    const alphas = shares(numExamples);
    let weights = alphas;
    for (let iteration = 0; iteration < iterations; iteration++) {
      const factors = weights;
      const squares = new Float64Array(factors.length);
      // The centre of a block follows from the block: nothing of the model's size is kept between passes.
      yield (block) => {
        const centre = new Float64Array(block.length);
        combineInto(centre, 0, block, factors);
        block.rows.forEach((values, row) => {
          let sum = 0;
          for (let i = 0; i < centre.length; i++) {
            const difference = values[i]! - centre[i]!;
            sum += difference * difference;
          }
          squares[row]! += sum;
        });
      };
      weights = shares(alphas.map((alpha, row) => alpha / Math.max(smoothing, Math.sqrt(squares[row]!))));
    }
    return yield* combination(length, weights);
  };
}
