import { fedAvg, type FedAvgState } from "@tributary/aggregation";
import { failure } from "@tributary/core";
import type { UpdateCounts, UpdateSum } from "./update-sum.ts";

/**
 * SCAFFOLD's sums: of the updates, each counting the same, and of the updates divided by the steps behind them. Statistics count
 * by examples, as with any strategy.
 */
export function controlledSum(
  { weightCount, statisticCount }: UpdateCounts,
  steps: (numExamples: number) => number,
): UpdateSum {
  let weights = fedAvg.init(weightCount);
  let perStep = new Float64Array(weightCount);
  let statistics = fedAvg.init(statisticCount);
  return {
    addChunk(offset, values, numExamples) {
      const split = Math.max(0, Math.min(values.length, weightCount - offset));
      if (split > 0) {
        const part = values.subarray(0, split);
        fedAvg.accumulateChunk(weights, offset, part, 1);
        const share = 1 / steps(numExamples);
        for (let i = 0; i < split; i++) perStep[offset + i]! += share * part[i]!;
      }
      if (split < values.length)
        fedAvg.accumulateChunk(statistics, offset + split - weightCount, values.subarray(split), numExamples);
    },
    count(numExamples) {
      fedAvg.countUpdate(weights, 1);
      fedAvg.countUpdate(statistics, numExamples);
    },
    mean() {
      const { updates } = weights;
      if (updates === 0) throw new TypeError("rounds: the mean of no updates");
      return {
        weights: fedAvg.mean(weights),
        statistics: fedAvg.mean(statistics),
        updates,
        totalExamples: statistics.totalExamples,
        perStep: perStep.map((value) => value / updates),
      };
    },
    save: () => ({
      numbers: [statistics.totalExamples, statistics.updates],
      vectors: [weights.sum, perStep, statistics.sum],
    }),
    load({ numbers: [totalExamples = 0, updates = 0], vectors: [sum, divided, others] }) {
      if (sum?.length !== weightCount || divided?.length !== weightCount || others?.length !== statisticCount)
        throw failure(
          "store/corrupt",
          `rounds: a kept sum of ${sum?.length}, ${divided?.length} and ${others?.length} values, expected ${weightCount} twice and ${statisticCount}`,
        );
      weights = { sum, totalExamples: updates, updates } satisfies FedAvgState;
      perStep = divided;
      statistics = { sum: others, totalExamples, updates } satisfies FedAvgState;
    },
  };
}
