import {
  aggregateRobustly,
  fedBuff,
  stalenessDiscount,
  type Aggregation,
  type FedBuffState,
} from "@tributary/aggregation";
import { compares, readyRule, type RootUpdate } from "./ready-rule.ts";
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
  rootUpdate: RootUpdate,
): Promise<RoundMean> {
  const rows: Float32Array[] = [];
  const examples: number[] = [];
  const discounts: number[] = [];
  let sums: { readonly weights: FedBuffState; readonly statistics: FedBuffState } | undefined;
  for await (const { staleness, mean } of cohorts) {
    const { updates, totalExamples } = mean;
    sums ??= { weights: fedBuff.init(mean.weights.length), statistics: fedBuff.init(mean.statistics.length) };
    for (const part of ["weights", "statistics"] as const) {
      const sum = Float64Array.from(mean[part], (value) => value * totalExamples);
      fedBuff.addCohort(sums[part], { sum, totalExamples, updates }, staleness);
    }
    if (!compares(aggregation)) continue;
    const discount = stalenessDiscount(staleness);
    const scale = aggregation.kind === "robust" ? discount : 1;
    rows.push(Float32Array.from(mean.weights, (value) => scale * value));
    examples.push(totalExamples);
    discounts.push(discount);
  }
  if (sums === undefined) throw new TypeError("federation: the mean of no cohorts");
  const { updates, totalExamples } = sums.weights;
  const statistics = fedBuff.mean(sums.statistics);
  if (!compares(aggregation)) {
    return { weights: fedBuff.mean(sums.weights), statistics, updates, totalExamples };
  }
  const { rule, trust: trustOf } = await readyRule(aggregation, rootUpdate, discounts);
  const weights = aggregateRobustly(rule, rows, examples);
  const trust = trustOf();
  return { weights, statistics, updates, totalExamples, ...(trust === undefined ? {} : { trust }) };
}
