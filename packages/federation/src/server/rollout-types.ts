import type { ModelVersion } from "@tributary/core";
import type { SequentialCohorts, SequentialDifference } from "@tributary/metrics";
import type { RolloutReason, RolloutSpec } from "@tributary/protocol";

/** What a rollout keeps to from its start to its end. */
export interface RolloutConfig {
  readonly spec: RolloutSpec;
  /** What the channel points to. */
  readonly control: ModelVersion;
  /** Least share of a step, in ten-thousandths, so that treated devices fill a cohort of the telemetry task; 0: none rests on sums. */
  readonly floorShare: number;
}

/** What a gate has found of one arm, by what it rests on. */
export type GateTest =
  | { readonly evidence: "devices"; readonly test: SequentialDifference }
  | { readonly evidence: "cohorts"; readonly test: SequentialCohorts };

export interface ArmProgress {
  readonly name: string;
  readonly version: ModelVersion;
  /** Devices that were watched for long enough. */
  readonly devices: number;
  /** By gate. */
  readonly tests: readonly GateTest[];
  /** Null: it is tried. Else its version is withdrawn, and its devices run the control's. */
  readonly ended: RolloutReason | null;
}

/** How far it has come. Times are ms since the epoch. */
export interface RolloutProgress {
  /** Index of the step under way. */
  readonly step: number;
  /** When it began, and its pauses since then. */
  readonly since: number;
  /** Of the steps so far. */
  readonly startedAt: readonly number[];
  readonly passedAt: readonly number[];
  readonly arms: readonly ArmProgress[];
  readonly controlDevices: number;
}

/** Data alone, so that it is stored as JSON. The last three are ends: nothing follows. */
export type RolloutState = RolloutProgress &
  (
    | { readonly phase: "running" }
    | { readonly phase: "paused"; readonly reason: RolloutReason; readonly pausedAt: number }
    | { readonly phase: "completed"; readonly arm: string; readonly endedAt: number }
    | { readonly phase: "rolled-back"; readonly reason: RolloutReason; readonly endedAt: number }
    | { readonly phase: "aborted"; readonly reason: RolloutReason; readonly endedAt: number }
  );

/** Values of devices that were watched for long enough: each device stands in one of these, once. */
export interface WatchedDevices {
  readonly devices: number;
  /** By gate; none of a gate that rests on sums, and fewer than devices where some say nothing of it. */
  readonly values: readonly (readonly number[])[];
}

export type RolloutInput = { readonly now: number } & (
  | {
      readonly type: "devices";
      readonly control: WatchedDevices;
      /** By the arm's name; none of an arm that ended. */
      readonly arms: Readonly<Record<string, WatchedDevices>>;
    }
  /** Means over two cohorts, one after the other. */
  | {
      readonly type: "cohorts";
      readonly arm: string;
      readonly gate: number;
      readonly treated: number;
      readonly control: number;
    }
  | { readonly type: "tick" }
  | { readonly type: "pause"; readonly reason: RolloutReason }
  | { readonly type: "resume" }
  | { readonly type: "abort"; readonly reason: RolloutReason }
  | { readonly type: "rollback"; readonly reason: RolloutReason }
  | { readonly type: "promote"; readonly arm: string }
  /** A version was withdrawn otherwise. */
  | { readonly type: "withdrawn"; readonly version: ModelVersion; readonly reason: RolloutReason }
);

export type RolloutEffect =
  /** What is signed of it changed. */
  | { readonly type: "publish" }
  /** No device runs this version any more. */
  | { readonly type: "withdraw"; readonly version: ModelVersion; readonly reason: RolloutReason }
  /** The channel moves to it. */
  | { readonly type: "release"; readonly version: ModelVersion }
  /** The document leaves. */
  | { readonly type: "end" };

export interface RolloutTransition {
  readonly state: RolloutState;
  readonly effects: readonly RolloutEffect[];
}
