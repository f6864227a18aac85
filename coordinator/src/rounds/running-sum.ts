import { fedAvg, fedNova, type FedAvgState, type FedNovaState } from "@tributary/aggregation";
import { failure } from "@tributary/core";
import type { SavedSum, UpdateAggregate, UpdateCounts } from "./update-aggregate.ts";
import { CHUNK_BYTES, readUpdate } from "./update-file.ts";

/** How a strategy adds up weights. */
interface Summation<State> {
  init(): State;
  /** A sum as it was: the vector with its counters, in the order of `counters`. */
  restore(sum: Float64Array<ArrayBuffer>, counters: readonly number[]): State;
  counters(state: State): readonly number[];
  addChunk(state: State, offset: number, values: Float32Array, numExamples: number): void;
  count(state: State, numExamples: number): void;
  mean(state: State): Float64Array;
}

/** Weighted by examples. */
export function fedAvgSum(counts: UpdateCounts): UpdateAggregate {
  return runningSum(counts, {
    init: () => fedAvg.init(counts.weightCount),
    ...fedAvgCounters,
    addChunk: fedAvg.accumulateChunk,
    count: fedAvg.countUpdate,
    mean: fedAvg.mean,
  });
}

/** Weighted by examples, each update divided by the work behind it. */
export function fedNovaSum(counts: UpdateCounts, norm: (numExamples: number) => number): UpdateAggregate {
  const shareOf = (numExamples: number) => ({ numExamples, norm: norm(numExamples) });
  return runningSum(counts, {
    init: () => fedNova.init(counts.weightCount),
    restore: (sum, [work = 0, totalExamples = 0, updates = 0]) => ({ sum, work, totalExamples, updates }),
    counters: ({ work, totalExamples, updates }: FedNovaState) => [work, totalExamples, updates],
    addChunk: (state, offset, values, numExamples) =>
      fedNova.accumulateChunk(state, offset, values, shareOf(numExamples)),
    count: (state, numExamples) => fedNova.countUpdate(state, shareOf(numExamples)),
    mean: fedNova.mean,
  });
}

const fedAvgCounters = {
  restore: (sum: Float64Array<ArrayBuffer>, [totalExamples = 0, updates = 0]: readonly number[]) => ({
    sum,
    totalExamples,
    updates,
  }),
  counters: ({ totalExamples, updates }: FedAvgState) => [totalExamples, updates],
};

/** A sum that grows with each update: memory is the sum and one piece, however many devices report. */
function runningSum<
  State extends {
    readonly sum: Float64Array<ArrayBuffer>;
    readonly totalExamples: number;
    readonly updates: number;
  },
>({ weightCount, statisticCount }: UpdateCounts, summation: Summation<State>): UpdateAggregate {
  let state: State | undefined;
  let statistics = fedAvg.init(statisticCount);
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  return {
    async add(file, numExamples) {
      const sum = (state ??= summation.init());
      buffer ??= new Uint8Array(CHUNK_BYTES);
      await readUpdate(file, buffer, {
        header() {},
        values(offset, values) {
          const split = Math.max(0, Math.min(values.length, weightCount - offset));
          if (split > 0) summation.addChunk(sum, offset, values.subarray(0, split), numExamples);
          if (split < values.length)
            fedAvg.accumulateChunk(
              statistics,
              offset + split - weightCount,
              values.subarray(split),
              numExamples,
            );
        },
      });
      summation.count(sum, numExamples);
      fedAvg.countUpdate(statistics, numExamples);
    },
    sum: {
      save() {
        const sum = (state ??= summation.init());
        return {
          numbers: [...fedAvgCounters.counters(statistics), ...summation.counters(sum)],
          vectors: [sum.sum, statistics.sum],
        };
      },
      load({ numbers, vectors: [weights, others] }: SavedSum) {
        if (weights?.length !== weightCount || others?.length !== statisticCount)
          throw failure(
            "store/corrupt",
            `rounds: a kept sum of ${weights?.length} and ${others?.length} values, expected ${weightCount} and ${statisticCount}`,
          );
        statistics = fedAvgCounters.restore(others, numbers.slice(0, 2));
        state = summation.restore(weights, numbers.slice(2));
      },
    },
    async mean() {
      if (state === undefined) throw new TypeError("rounds: the mean of no updates");
      const { updates, totalExamples } = state;
      return {
        weights: summation.mean(state),
        statistics: fedAvg.mean(statistics),
        updates,
        totalExamples,
      };
    },
    async close() {
      state = undefined;
      buffer = undefined;
    },
  };
}
