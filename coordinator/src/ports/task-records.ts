import type { DeviceId, ModelName, ModelVersion, PopulationName, RoundId, TaskName } from "@tributary/core";
import type { GateState } from "@tributary/federation";
import type { MetricDocument, RoundPurpose, TaskReason, TaskSpec, TaskState } from "@tributary/protocol";
import type { BlobRef } from "./model-records.ts";

/** A federated task and the plan it was published as. */
export interface TaskRecord {
  readonly name: TaskName;
  readonly model: ModelName;
  readonly population: PopulationName;
  readonly state: TaskState;
  readonly spec: TaskSpec;
  /** What is trained, or measured. */
  readonly plan: PlanRef;
  /** Of a training task with a gate: what held-out devices measure by. */
  readonly gatePlan: PlanRef | null;
  /** Null where the task has no gate. */
  readonly gate: GateRecord | null;
  readonly createdAt: number;
  /** Why it does not run; null while it runs. */
  readonly reason: TaskReason | null;
  /** When it was created or last resumed: its stop rules count from here. */
  readonly activeSince: number;
}

/** A signed plan: its number within the task, its target path and its blob. */
export type PlanRef = BlobRef & { readonly number: number; readonly target: string };

/** Where a task's gate stands. */
export type GateRecord = GateState;

/** What the devices of one round measured: sums over those whose vectors counted. */
export interface MeasurementRecord {
  readonly roundId: RoundId;
  readonly task: TaskName;
  readonly model: ModelName;
  readonly purpose: Exclude<RoundPurpose, "train">;
  readonly version: ModelVersion;
  readonly candidate: ModelVersion | null;
  readonly devices: number;
  /** What the coordinates of `sums` are. */
  readonly metrics: readonly MetricDocument[];
  readonly sums: readonly number[];
  /** Of each bound of what is computed from the sums. */
  readonly confidence: number;
  readonly at: number;
}

/** A device in secure cohorts of a task whose sums failed; no row: not suspected. */
export interface SuspicionRecord {
  readonly task: TaskName;
  readonly deviceId: DeviceId;
  /** Cohorts with it that failed since one held. */
  readonly points: number;
  /** quarantined: it takes no part until an operator releases it. */
  readonly state: "suspected" | "quarantined";
  /** The last that failed. */
  readonly roundId: RoundId;
  readonly at: number;
}

/** When a device was last asked to train for a task. */
export interface ParticipationRecord {
  readonly task: TaskName;
  readonly deviceId: DeviceId;
  /** The round's number. */
  readonly round: number;
  readonly at: number;
}
