import type { DeviceId } from "@tributary/core";
import type { IneligibleReason } from "@tributary/protocol";
import type { ConnectedDevice } from "../gateway/gateway-types.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundRun } from "./round-run.ts";
import type { SeatCounts } from "./task-seats.ts";

/** What a task is doing, as far as its rounds' rows do not tell. */
export interface TaskActivity extends SeatCounts {
  /** When the next round may begin; null: one is under way, or none is planned. */
  readonly nextRoundAt: number | null;
  /** Rounds in a row that failed. */
  readonly failures: number;
}

/** What runs the rounds of one task, in its mode. */
export interface Driver {
  readonly task: TaskRecord;
  /** When it has looked after the rounds that an earlier process left. */
  readonly resumed: Promise<void>;
  /** Rounds under way. */
  readonly runs: readonly RoundRun[];
  /** @throws `identity/wrong-population` */
  checkIn(from: ConnectedDevice, examples: number): void;
  /** A device of this population is not one of those that the task asks. */
  ineligible(from: ConnectedDevice, reason: IneligibleReason): void;
  activity(): TaskActivity;
  leave(device: DeviceId): void;
  /** The device did not take the offer of one of these rounds. */
  declined(device: DeviceId, run: RoundRun, code: string): void;
  disconnected(device: DeviceId): void;
  /** The task's row or its model changed: looks again. */
  changed(): Promise<void>;
  /** Another version of the model is what tasks train from. */
  baseReplaced(version: number): Promise<void>;
  /** The same, of a version that may be an older one, while the task does not run. */
  headReset(version: number): void;
  close(): Promise<void>;
}
