import type { ModelName } from "@tributary/core";
import type { RolloutRecord, WatchedDeviceRecord } from "./rollout-records.ts";

export interface RolloutRepository {
  /** @throws `store/conflict` when the name is taken, or another one of the channel is under way. */
  insert(record: RolloutRecord): Promise<void>;
  /** Replaces the row of the same name. @throws `store/conflict` when it has ended, or is not there. */
  update(record: RolloutRecord): Promise<void>;
  get(model: ModelName, rollout: string): Promise<RolloutRecord | undefined>;
  /** Newest first; `before` is a number (exclusive). */
  list(
    model: ModelName,
    options?: { readonly limit?: number; readonly before?: number },
  ): Promise<RolloutRecord[]>;
  /** Those that have not ended, of a model or of all. */
  underWay(model?: ModelName): Promise<RolloutRecord[]>;
  /** 0 where there was none. */
  lastNumber(model: ModelName): Promise<number>;
  /** Adds or replaces. */
  putWatched(records: readonly WatchedDeviceRecord[]): Promise<void>;
  /** By version and device. */
  watched(of: Pick<RolloutRecord, "model" | "rollout">): Promise<WatchedDeviceRecord[]>;
  /** Nothing of single devices is kept of a rollout that has ended. */
  forgetWatched(of: Pick<RolloutRecord, "model" | "rollout">): Promise<void>;
}
