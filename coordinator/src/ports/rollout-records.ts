import type { DeviceId, ModelName, ModelVersion, RoundId } from "@tributary/core";
import type { RolloutConfig, RolloutState } from "@tributary/federation";

/** A rollout: how it stands, and what it has read of the evidence. Times are ms since the epoch. */
export interface RolloutRecord {
  readonly model: ModelName;
  /** Never used twice within a model. */
  readonly rollout: string;
  readonly channel: string;
  /** Of the model's rollouts, from 1. */
  readonly number: number;
  readonly config: RolloutConfig;
  readonly state: RolloutState;
  readonly evidence: RolloutEvidence;
  readonly createdAt: number;
  /** Null: it is under way. At most one is of a channel. */
  readonly endedAt: number | null;
}

/** How far the evidence of a rollout was read. */
export interface RolloutEvidence {
  /** Reports of devices that came before were looked at. */
  readonly toldBefore: number;
  /** Rounds of the telemetry task that were looked at: the newest of them. */
  readonly round: RoundId | null;
  /** Cohorts by version. */
  readonly cohorts: Readonly<Record<string, number>>;
  /** By arm: what a cohort showed, by gate, that waits for one of the other side. */
  readonly waiting: Readonly<
    Record<string, { readonly treated?: CohortMeans; readonly control?: CohortMeans }>
  >;
  /** Predictions of the first cohort of the control: what drift is measured from. */
  readonly reference: readonly number[] | null;
}

/** What a cohort showed, by gate; null where it says nothing of it. */
export type CohortMeans = readonly (number | null)[];

/** A device that a rollout watches on one version. */
export interface WatchedDeviceRecord {
  readonly model: ModelName;
  readonly rollout: string;
  readonly deviceId: DeviceId;
  readonly version: ModelVersion;
  /** When it was first heard of. */
  readonly openedAt: number;
  /** What it had told of the version by then; null: nothing before the rollout. */
  readonly baseline: readonly number[] | null;
  /** When what it told since was counted; null: not yet. */
  readonly countedAt: number | null;
}
