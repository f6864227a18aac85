import type { Aggregation } from "@tributary/aggregation";
import { createUpdateSum, type RoundMean, type UpdateCounts } from "@tributary/federation/aggregation";
import { heldUpdates } from "./held-updates.ts";
import { runningSum } from "./running-sum.ts";
import type { UpdateFile } from "./update-file.ts";

/** The checked updates of a round on their way to one. Calls must not overlap. */
export interface UpdateAggregate {
  /** Takes a file over: removes it when it is not needed any more, also when this fails. */
  add(file: UpdateFile, numExamples: number): Promise<void>;
  /** @throws TypeError when nothing was added; `signal.reason` */
  mean(signal: AbortSignal): Promise<RoundMean>;
  /** Removes what is left. Idempotent. */
  close(): Promise<void>;
}

/** As the round's strategy wants it. */
export function createUpdateAggregate(aggregation: Aggregation, counts: UpdateCounts): UpdateAggregate {
  switch (aggregation.kind) {
    case "mean":
    case "normalised":
      return runningSum(createUpdateSum(aggregation, counts));
    case "robust":
      return heldUpdates(counts, aggregation.rule);
  }
}
