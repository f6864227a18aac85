import type { DeviceId, Digest, ErrorCode, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type { ServerMessage } from "@tributary/protocol";
import type { DeviceTable } from "../device-table.ts";

/** A TUF target with the digest its bytes must have. */
export interface TargetReference {
  readonly target: string;
  readonly digest: Digest;
}

/** What a round is about and its rules; fixed for its whole life. */
export interface RoundConfig {
  readonly task: TaskName;
  readonly roundId: RoundId;
  /** Number within the task, from 1. */
  readonly round: number;
  readonly baseVersion: ModelVersion;
  readonly plan: TargetReference;
  readonly weights: TargetReference;
  /** Ready devices that form the cohort. */
  readonly goalCount: number;
  /** Fewest updates that are averaged. */
  readonly minimumCount: number;
  /** Most offers open at a time: ceil(goalCount * overSelection). */
  readonly offerLimit: number;
  /** From the first offer to the forming of the cohort, at most. */
  readonly trainDeadlineMs: number;
  /** From the forming of the cohort to the end of reporting, at most. */
  readonly reportDeadlineMs: number;
  /** A member gone for longer than this is not waited for; it may still come back before the deadline. */
  readonly reconnectGraceMs: number;
  /** TUF timestamp version that lists plan and weights. */
  readonly timestampVersion: number;
}

/** What a device said about its update in `ready`. */
export interface UpdateClaim {
  readonly numExamples: number;
  readonly updateDigest: Digest;
  readonly sizeBytes: number;
}

/**
 * What a device is in a round. candidate: willing, no offer yet. offered: training. ready: has an update.
 * member: asked to report. reported: its update counts. refused: its update did not pass. out: declined, left,
 * was late or was not needed.
 */
export type Participant = { readonly connected: boolean } & (
  | { readonly stage: "candidate"; readonly order: number }
  | { readonly stage: "offered" }
  | { readonly stage: "ready"; readonly claim: UpdateClaim }
  | { readonly stage: "member"; readonly claim: UpdateClaim; readonly goneSince: number | null }
  | { readonly stage: "reported"; readonly claim: UpdateClaim }
  | { readonly stage: "refused"; readonly code: string }
  | { readonly stage: "out" }
);

export type ParticipantStage = Participant["stage"];

/** Counts over the whole round; each device counts at most once in each. */
export interface RoundCounts {
  /** Devices that ever got an offer. */
  readonly offered: number;
  /** Devices that ever said ready in time. */
  readonly ready: number;
  /** Devices asked to report. */
  readonly cohort: number;
  /** Members whose update counts. */
  readonly reported: number;
  /** Members that left, declined, or were gone when reporting ended. */
  readonly dropouts: number;
  /** Members whose update did not pass its checks. */
  readonly refused: number;
}

/** Devices by what they are now; kept beside the table so that a step need not walk it. */
export interface RoundTally {
  readonly candidates: number;
  /** Offers and finished updates of devices that are connected. */
  readonly open: number;
  /** Finished updates of devices that are connected. */
  readonly ready: number;
}

interface Common {
  readonly participants: DeviceTable<Participant>;
  readonly counts: RoundCounts;
  readonly tally: RoundTally;
  /** Next candidate's place in the queue. */
  readonly nextOrder: number;
  /** When the driver was last asked to tick. */
  readonly wakeAt: number | null;
}

export type RoundState = Common &
  (
    | { readonly phase: "selecting"; readonly started: boolean }
    | { readonly phase: "training"; readonly deadline: number }
    | {
        readonly phase: "reporting";
        readonly deadline: number;
        /** Members that have not reported, been refused or left. */
        readonly outstanding: ReadonlySet<DeviceId>;
      }
    | { readonly phase: "aggregating"; readonly survivors: readonly DeviceId[]; readonly aggregated: boolean }
    | { readonly phase: "committed"; readonly version: ModelVersion }
    | { readonly phase: "abandoned"; readonly code: ErrorCode }
  );

/** Everything that can happen to a round; `now` in milliseconds on the coordinator's clock. */
export type RoundInput = { readonly now: number } & (
  | { readonly type: "start" }
  | { readonly type: "check-in"; readonly device: DeviceId; readonly examples: number }
  | { readonly type: "leave"; readonly device: DeviceId }
  | { readonly type: "disconnect"; readonly device: DeviceId }
  | ({ readonly type: "ready"; readonly device: DeviceId } & UpdateClaim)
  | { readonly type: "decline"; readonly device: DeviceId; readonly code: string }
  /** An upload passed every check. It counts if, and only if, the step answers with `accumulate`. */
  | { readonly type: "report-accepted"; readonly device: DeviceId; readonly digest: Digest }
  | { readonly type: "report-refused"; readonly device: DeviceId; readonly code: string }
  | { readonly type: "tick" }
  /** The mean was taken and evaluated; the commit is under way. */
  | { readonly type: "aggregated" }
  | { readonly type: "committed"; readonly version: ModelVersion }
  | { readonly type: "abandon"; readonly code: ErrorCode }
);

/** What the driver has to do after a step, in this order. */
export type RoundEffect =
  | { readonly type: "send"; readonly device: DeviceId; readonly message: ServerMessage }
  /** Give a `tick` at this time. The newest replaces the ones before. */
  | { readonly type: "wake-at"; readonly at: number }
  /** Add this device's checked update to the sum: once for each device. */
  | { readonly type: "accumulate"; readonly device: DeviceId; readonly claim: UpdateClaim }
  /** All updates are in: take the mean, evaluate, commit; then `committed`, or `abandon`. */
  | { readonly type: "aggregate"; readonly devices: readonly DeviceId[] }
  | { readonly type: "ended"; readonly result: "committed"; readonly version: ModelVersion }
  | { readonly type: "ended"; readonly result: "abandoned"; readonly code: ErrorCode };

export interface RoundStep {
  readonly state: RoundState;
  readonly effects: readonly RoundEffect[];
}
