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

/** The checked updates of a round on their way to one. Calls must not overlap. */
export interface UpdateAggregate {
  /** Takes a file over: removes it when it is not needed any more, also when this fails. */
  add(file: UpdateFile, numExamples: number): Promise<void>;
  /** @throws TypeError when nothing was added; `signal.reason` */
  mean(signal: AbortSignal): Promise<RoundMean>;
  /** Removes what is left. Idempotent. */
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
