import type { Aggregation } from "@tributary/aggregation";
import { heldUpdates } from "./held-updates.ts";
import { fedAvgSum, fedNovaSum } from "./running-sum.ts";
import type { UpdateFile } from "./update-file.ts";

/** The one update of a round. */
export interface RoundMean {
  /** As the strategy aggregates. */
  readonly weights: Float64Array;
  /** Weighted by examples, whatever the strategy. */
  readonly statistics: Float64Array;
  /** Updates in it. */
  readonly updates: number;
  readonly totalExamples: number;
}

/** A sum as it is kept over a restart. */
export interface SavedSum {
  readonly numbers: readonly number[];
  readonly vectors: readonly Float64Array<ArrayBuffer>[];
}

/** The checked updates of a round on their way to one. Calls must not overlap. */
export interface UpdateAggregate {
  /** Reads a file, or notes that it is part: where there is no `sum`, it has to stay until `close`. */
  add(file: UpdateFile, numExamples: number): Promise<void>;
  /** @throws TypeError when nothing was added; `signal.reason` */
  mean(signal: AbortSignal): Promise<RoundMean>;
  /** Where updates are summed as they come: what was added is in the sum, and its file may go once the sum is kept. */
  readonly sum?: {
    /** Not a copy: to be written before the next call. */
    save(): SavedSum;
    /** Before the first `add`. @throws `store/corrupt` when it is no sum of such updates */
    load(saved: SavedSum): void;
  };
  /** Forgets what was added. Idempotent. */
  close(): Promise<void>;
}

/** How many values of an update are weights, and how many follow that are statistics. */
export interface UpdateCounts {
  readonly weightCount: number;
  readonly statisticCount: number;
}

/** As the round's strategy wants it. */
export function createUpdateAggregate(aggregation: Aggregation, counts: UpdateCounts): UpdateAggregate {
  switch (aggregation.kind) {
    case "mean":
      return fedAvgSum(counts);
    case "normalised":
      return fedNovaSum(counts, aggregation.norm);
    case "robust":
      return heldUpdates(counts, aggregation.rule);
  }
}
