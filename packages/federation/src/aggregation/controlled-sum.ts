import { fedAvg, openRowSum, type FedAvgState } from "@tributary/aggregation";
import { failure } from "@tributary/core";
import { addChunk } from "./add-chunk.ts";
import type { UpdateCounts, UpdateSum } from "./update-sum.ts";

/**
 * SCAFFOLD's sums: of the updates, each counting the same, and of the updates divided by the steps behind them. Statistics count
 * by examples, as with any strategy.
 */
export function controlledSum(
  { weightCount, statisticCount }: UpdateCounts,
  steps: (numExamples: number) => number,
): UpdateSum {
  const open = (totalExamples = 0, updates = 0) => {
    const { sum, rows, add } = openRowSum(2 * weightCount + statisticCount);
    const weights: FedAvgState = { sum: sum.subarray(0, weightCount), totalExamples: updates, updates };
    const perStep = sum.subarray(weightCount, 2 * weightCount);
    const statistics: FedAvgState = { sum: sum.subarray(2 * weightCount), totalExamples, updates };
    return { rows, add, weights, perStep, statistics };
  };
  let opened: ReturnType<typeof open> | undefined;
  const state = () => (opened ??= open());

  const addRows: UpdateSum["addRows"] = (offset, length, numExamples) => {
    const { add } = state();
    const split = Math.max(0, Math.min(length, weightCount - offset));
    if (split > 0) {
      const ones = numExamples.map(() => 1);
      const shares = numExamples.map((count) => 1 / steps(count));
      add(offset, 0, split, ones);
      add(weightCount + offset, 0, split, shares);
    }
    if (split < length)
      add(weightCount + offset + split, split, length - split, numExamples.map(fedAvg.factor));
  };

  return {
    get rows() {
      return state().rows;
    },
    addRows,
    addChunk: (offset, values, numExamples) =>
      addChunk({ rows: state().rows, addRows }, offset, values, numExamples),
    count(numExamples) {
      const { weights, statistics } = state();
      fedAvg.countUpdate(weights, 1);
      fedAvg.countUpdate(statistics, numExamples);
    },
    mean() {
      if (opened === undefined) throw new TypeError("rounds: the mean of no updates");
      const { weights, perStep, statistics } = opened;
      const { updates } = weights;
      return {
        weights: fedAvg.mean(weights),
        statistics: fedAvg.mean(statistics),
        updates,
        totalExamples: statistics.totalExamples,
        perStep: perStep.map((value) => value / updates),
      };
    },
    save() {
      const { weights, perStep, statistics } = state();
      return {
        numbers: [statistics.totalExamples, statistics.updates],
        vectors: [weights.sum, perStep, statistics.sum],
      };
    },
    load({ numbers: [totalExamples, updates], vectors: [weights, perStep, statistics] }) {
      if (
        weights?.length !== weightCount ||
        perStep?.length !== weightCount ||
        statistics?.length !== statisticCount
      )
        throw failure(
          "store/corrupt",
          `rounds: a kept sum of ${weights?.length}, ${perStep?.length} and ${statistics?.length} values, expected ${weightCount} twice and ${statisticCount}`,
        );
      opened = open(totalExamples, updates);
      opened.weights.sum.set(weights);
      opened.perStep.set(perStep);
      opened.statistics.sum.set(statistics);
    },
  };
}
