import type { Aggregation } from "@tributary/aggregation";
import {
  createUpdateSum,
  readyRule,
  type RootUpdate,
  type RoundMean,
  type UpdateCounts,
  type UpdateSum,
} from "@tributary/federation/aggregation";
import { heldUpdates } from "./held-updates.ts";
import { runningSum } from "./running-sum.ts";
import type { UpdateFile } from "./update-file.ts";

/** A checked update. */
export interface WeightedFile {
  readonly file: UpdateFile;
  readonly numExamples: number;
}

/** The checked updates of a round on their way to one. Calls must not overlap. */
export interface UpdateAggregate {
  /** Reads files, or notes that they are part: where there is no `sum`, they have to stay until `close`. */
  add(updates: readonly WeightedFile[]): Promise<void>;
  /** @throws TypeError when nothing was added; `signal.reason` */
  mean(signal: AbortSignal): Promise<RoundMean>;
  /** Where updates are summed as they come: what was added is in the sum, and its file may go once the sum is kept. */
  readonly sum?: Pick<UpdateSum, "save" | "load">;
  /** Forgets what was added. Idempotent. */
  close(): Promise<void>;
}

/** As the round's strategy wants it. */
export function createUpdateAggregate(
  aggregation: Aggregation,
  counts: UpdateCounts,
  rootUpdate: RootUpdate,
): UpdateAggregate {
  switch (aggregation.kind) {
    case "mean":
    case "normalised":
      return runningSum(createUpdateSum(aggregation, counts), counts);
    case "robust":
    case "trusted":
      return heldUpdates(counts, () => readyRule(aggregation, rootUpdate));
  }
}
