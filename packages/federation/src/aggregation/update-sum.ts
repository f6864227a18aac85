import {
  fedAvg,
  fedNova,
  openRowSum,
  ROW_VALUES,
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
  /** Where pieces of several updates are put that are added in one pass; see `addRows`. */
  readonly rows: readonly Float32Array<ArrayBuffer>[];
  /**
   * Adds the values of several updates from `offset` on, of the first rows: as if one came after the other.
   *
   * @param numExamples - of each
   */
  readonly addRows: (offset: number, length: number, numExamples: readonly number[]) => void;
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
  /** A sum as it was: the vector with its counters, in the order of `counters`. */
  restore(sum: Float64Array<ArrayBuffer>, counters: readonly number[]): State;
  counters(state: State): readonly number[];
  /** What an update's weights are multiplied with. */
  readonly factor: (numExamples: number) => number;
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
  return updateSum(counts, fedAvgSummation);
}

/** Weighted by examples, each update divided by the work behind it. */
function fedNovaSum(counts: UpdateCounts, norm: (numExamples: number) => number): UpdateSum {
  const shareOf = (numExamples: number) => ({ numExamples, norm: norm(numExamples) });
  return updateSum(counts, {
    restore: (sum, [work = 0, totalExamples = 0, updates = 0]) => ({ sum, work, totalExamples, updates }),
    counters: ({ work, totalExamples, updates }: FedNovaState) => [work, totalExamples, updates],
    factor: (numExamples) => fedNova.factor(shareOf(numExamples)),
    count: (state, numExamples) => fedNova.countUpdate(state, shareOf(numExamples)),
    mean: fedNova.mean,
  });
}

const fedAvgSummation: Summation<FedAvgState> = {
  restore: (sum, [totalExamples = 0, updates = 0]) => ({ sum, totalExamples, updates }),
  counters: ({ totalExamples, updates }) => [totalExamples, updates],
  factor: fedAvg.factor,
  count: fedAvg.countUpdate,
  mean: fedAvg.mean,
};

function updateSum<State extends Pick<FedAvgState, "sum" | "totalExamples" | "updates">>(
  { weightCount, statisticCount }: UpdateCounts,
  weightsOf: Summation<State>,
): UpdateSum {
  const statisticsOf = fedAvgSummation;
  const open = (numbers: readonly number[] = []) => {
    const { sum, rows, add } = openRowSum(weightCount + statisticCount);
    return {
      sum,
      rows,
      add,
      statistics: statisticsOf.restore(sum.subarray(weightCount), numbers.slice(0, 2)),
      weights: weightsOf.restore(sum.subarray(0, weightCount), numbers.slice(2)),
    };
  };
  let opened: ReturnType<typeof open> | undefined;
  const state = () => (opened ??= open());

  const addRows: UpdateSum["addRows"] = (offset, length, numExamples) => {
    const { add } = state();
    const split = Math.max(0, Math.min(length, weightCount - offset));
    if (split > 0) add(offset, 0, split, numExamples.map(weightsOf.factor));
    if (split < length) add(offset + split, split, length - split, numExamples.map(statisticsOf.factor));
  };

  return {
    get rows() {
      return state().rows;
    },
    addRows,
    addChunk(offset, values, numExamples) {
      const [row] = state().rows;
      for (let begin = 0; begin < values.length; begin += ROW_VALUES) {
        const piece = values.subarray(begin, begin + ROW_VALUES);
        row!.set(piece);
        addRows(offset + begin, piece.length, [numExamples]);
      }
    },
    count(numExamples) {
      const { weights, statistics } = state();
      weightsOf.count(weights, numExamples);
      statisticsOf.count(statistics, numExamples);
    },
    mean() {
      if (opened === undefined) throw new TypeError("rounds: the mean of no updates");
      const { weights, statistics } = opened;
      const { updates, totalExamples } = weights;
      return {
        weights: weightsOf.mean(weights),
        statistics: statisticsOf.mean(statistics),
        updates,
        totalExamples,
      };
    },
    save() {
      const { weights, statistics } = state();
      return {
        numbers: [...statisticsOf.counters(statistics), ...weightsOf.counters(weights)],
        vectors: [weights.sum, statistics.sum],
      };
    },
    load({ numbers, vectors: [weights, others] }) {
      if (weights?.length !== weightCount || others?.length !== statisticCount)
        throw failure(
          "store/corrupt",
          `rounds: a kept sum of ${weights?.length} and ${others?.length} values, expected ${weightCount} and ${statisticCount}`,
        );
      opened = open(numbers);
      opened.sum.set(weights);
      opened.sum.set(others, weightCount);
    },
  };
}
