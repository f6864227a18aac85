import {
  aggregateRobustly,
  fedBuff,
  stalenessDiscount,
  type Aggregation,
  type FedBuffState,
} from "@tributary/aggregation";
import type { RoundMean } from "./update-sum.ts";

/** A cohort's mean and how many versions its base lies behind. */
export interface StaleMean {
  readonly staleness: number;
  readonly mean: RoundMean;
}

/**
 * The one update of a full buffer: sum of s(staleness) S_c / sum of W_c, or, where the strategy compares, its rule over the
 * discounted means of the cohorts, each of which counts by its examples. Statistics are always averaged.
 */
export async function bufferMean(
  aggregation: Aggregation,
  cohorts: AsyncIterable<StaleMean>,
): Promise<RoundMean> {
  const rows: Float32Array[] = [];
  const examples: number[] = [];
  let sums: { readonly weights: FedBuffState; readonly statistics: FedBuffState } | undefined;
  for await (const { staleness, mean } of cohorts) {
    const { updates, totalExamples } = mean;
    sums ??= { weights: fedBuff.init(mean.weights.length), statistics: fedBuff.init(mean.statistics.length) };
    for (const part of ["weights", "statistics"] as const) {
      const sum = Float64Array.from(mean[part], (value) => value * totalExamples);
      fedBuff.addCohort(sums[part], { sum, totalExamples, updates }, staleness);
    }
    if (aggregation.kind !== "robust") continue;
    const discount = stalenessDiscount(staleness);
    rows.push(Float32Array.from(mean.weights, (value) => discount * value));
    examples.push(totalExamples);
  }
  if (sums === undefined) throw new TypeError("federation: the mean of no cohorts");
  const { updates, totalExamples } = sums.weights;
  return {
    weights:
      aggregation.kind === "robust"
        ? aggregateRobustly(aggregation.rule, rows, examples)
        : fedBuff.mean(sums.weights),
    statistics: fedBuff.mean(sums.statistics),
    updates,
    totalExamples,
  };
}
