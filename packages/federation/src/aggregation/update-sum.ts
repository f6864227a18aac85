import {
  fedAvg,
  fedNova,
  type Aggregation,
  type FedAvgState,
  type FedNovaState,
} from "@tributary/aggregation";
import { failure } from "@tributary/core";
import type { TrustSummary } from "./ready-rule.ts";

/** The one update of a round. */
export interface RoundMean {
  /** As the strategy aggregates. */
  readonly weights: Float64Array;
  /** Weighted by examples, whatever the strategy. */
  readonly statistics: Float64Array;
  /** Updates in it. */
  readonly updates: number;
  readonly totalExamples: number;
  /** Where the strategy compares updates with the server's own. */
  readonly trust?: TrustSummary;
}

/** How many values of an update are weights, and how many follow that are statistics. */
export interface UpdateCounts {
  readonly weightCount: number;
  readonly statisticCount: number;
}

/** A sum as it is kept over a restart. */
export interface SavedSum {
  readonly numbers: readonly number[];
  readonly vectors: readonly Float64Array<ArrayBuffer>[];
}

/** A sum that grows with each update, which comes in pieces: memory is the sum, however many devices report. */
export interface UpdateSum {
  /** Values of one update from `offset` on. */
  addChunk(offset: number, values: Float32Array, numExamples: number): void;
  /** All of that update is in. */
  count(numExamples: number): void;
  /** @throws TypeError when nothing was counted */
  mean(): RoundMean;
  /** Not a copy: to be written before the next call. */
  save(): SavedSum;
  /** Before the first update. @throws `store/corrupt` when it is no sum of such updates */
  load(saved: SavedSum): void;
}

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

/** For strategies that need not compare updates with each other. */
export function createUpdateSum(
  aggregation: Extract<Aggregation, { readonly kind: "mean" | "normalised" }>,
  counts: UpdateCounts,
): UpdateSum {
  return aggregation.kind === "mean" ? fedAvgSum(counts) : fedNovaSum(counts, aggregation.norm);
}

/** Weighted by examples. */
function fedAvgSum(counts: UpdateCounts): UpdateSum {
  return updateSum(counts, {
    init: () => fedAvg.init(counts.weightCount),
    ...fedAvgCounters,
    addChunk: fedAvg.accumulateChunk,
    count: fedAvg.countUpdate,
    mean: fedAvg.mean,
  });
}

/** Weighted by examples, each update divided by the work behind it. */
function fedNovaSum(counts: UpdateCounts, norm: (numExamples: number) => number): UpdateSum {
  const shareOf = (numExamples: number) => ({ numExamples, norm: norm(numExamples) });
  return updateSum(counts, {
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

function updateSum<
  State extends {
    readonly sum: Float64Array<ArrayBuffer>;
    readonly totalExamples: number;
    readonly updates: number;
  },
>({ weightCount, statisticCount }: UpdateCounts, summation: Summation<State>): UpdateSum {
  let state: State | undefined;
  let statistics = fedAvg.init(statisticCount);
  const sumOf = () => (state ??= summation.init());
  return {
    addChunk(offset, values, numExamples) {
      const split = Math.max(0, Math.min(values.length, weightCount - offset));
      if (split > 0) summation.addChunk(sumOf(), offset, values.subarray(0, split), numExamples);
      if (split < values.length)
        fedAvg.accumulateChunk(statistics, offset + split - weightCount, values.subarray(split), numExamples);
    },
    count(numExamples) {
      summation.count(sumOf(), numExamples);
      fedAvg.countUpdate(statistics, numExamples);
    },
    mean() {
      if (state === undefined) throw new TypeError("rounds: the mean of no updates");
      const { updates, totalExamples } = state;
      return {
        weights: summation.mean(state),
        statistics: fedAvg.mean(statistics),
        updates,
        totalExamples,
      };
    },
    save() {
      const sum = sumOf();
      return {
        numbers: [...fedAvgCounters.counters(statistics), ...summation.counters(sum)],
        vectors: [sum.sum, statistics.sum],
      };
    },
    load({ numbers, vectors: [weights, others] }) {
      if (weights?.length !== weightCount || others?.length !== statisticCount)
        throw failure(
          "store/corrupt",
          `rounds: a kept sum of ${weights?.length} and ${others?.length} values, expected ${weightCount} and ${statisticCount}`,
        );
      statistics = fedAvgCounters.restore(others, numbers.slice(0, 2));
      state = summation.restore(weights, numbers.slice(2));
    },
  };
}
