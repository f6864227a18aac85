import type { DeviceId, Digest, ErrorCode, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type { RoundPurpose, SecureStepName, ServerMessage, VersionReference } from "@tributary/protocol";
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
  /** Which step of the task begins at the base, from 1: what schedules count. Left out: as `round`. */
  readonly trainingRound?: number;
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
  /** Null: members report their updates one by one. */
  readonly secure: SecureRules | null;
  /**
   * The round is one cohort of a task in buffered mode: its sum goes into the buffer instead of becoming a version,
   * offers go out at once, and devices that still train when the cohort forms go on for the next one.
   */
  readonly buffered?: true;
  /** Devices that may come, estimated: who is not needed is told by it when to come back. Left out: few. */
  readonly population?: number;
  /** Left out: devices train. Else they measure the base version, and make no other. */
  readonly measurement?: MeasurementRules;
}

/** What the devices of a round that makes no version measure. */
export interface MeasurementRules {
  readonly purpose: Exclude<RoundPurpose, "train">;
  /** Measured on the same examples as the base version; null: that alone. */
  readonly candidate: Readonly<VersionReference> | null;
}

/** Secure aggregation, as far as the round's machine is concerned. */
export interface SecureRules {
  /** Each step ends when all have answered, else this long after it was opened. */
  readonly stepDeadlineMs: number;
}

/** What a device said about its update in `ready`. */
export interface UpdateClaim {
  readonly numExamples: number;
  readonly updateDigest: Digest;
  readonly sizeBytes: number;
}

/** What a device said in `secure-ready`. */
export interface SecureClaim {
  readonly commitment: Digest;
}

/**
 * What a device is in a round. candidate: willing, no offer yet. offered: training. ready: has an update.
 * member: asked to report. reported: its update counts. refused: its update did not pass. out: declined, left,
 * was late or was not needed. In a secure round: secure-member: in the cohort. secured: its update is in the sum, and
 * nothing more is asked of it. In buffered mode: carried: it trains on, for the next cohort on the same base.
 */
export type Participant = { readonly connected: boolean } & (
  | { readonly stage: "candidate"; readonly order: number }
  | { readonly stage: "offered" }
  | { readonly stage: "ready"; readonly claim: UpdateClaim | SecureClaim }
  | { readonly stage: "member"; readonly claim: UpdateClaim; readonly goneSince: number | null }
  | { readonly stage: "reported"; readonly claim: UpdateClaim }
  | ({
      readonly stage: "secure-member";
      /** Place in the cohort list. */
      readonly member: number;
      readonly goneSince: number | null;
    } & SecureClaim)
  | { readonly stage: "secured" }
  | { readonly stage: "refused"; readonly code: string }
  | { readonly stage: "out" }
  | { readonly stage: "carried" }
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

/** A secure cohort between its forming and its sum. */
export interface SecureCohort {
  readonly step: SecureStepName;
  /** Members by number; fixed before any of them reveals its keys. */
  readonly roster: readonly DeviceId[];
  /** Null while the driver prepares what the step needs. */
  readonly opened: {
    readonly deadline: number;
    /** Of what each member gets; null for those that are lost. */
    readonly digests: readonly (Digest | null)[];
  } | null;
  /** Members that were, or will be, asked and have not answered. */
  readonly outstanding: ReadonlySet<DeviceId>;
  /** Members that answered this step and are still there. */
  readonly answered: ReadonlySet<DeviceId>;
  /** Members whose masked vector was taken: the sum is over them. */
  readonly survivors: ReadonlySet<DeviceId>;
}

/** What is known of a secure round, also when its cohort is gone. */
export interface SecureTally {
  readonly step: SecureStepName;
  readonly cohort: number;
  /** Fewest members of any step. */
  readonly threshold: number;
  readonly survivors: number;
  readonly lost: { readonly [Step in SecureStepName]: number };
}

interface Common {
  readonly participants: DeviceTable<Participant>;
  readonly counts: RoundCounts;
  readonly tally: RoundTally;
  /** Null in rounds that are not secure, and before the cohort was formed. */
  readonly secure: SecureTally | null;
  /** Next candidate's place in the queue. */
  readonly nextOrder: number;
  /** When the driver was last asked to tick. */
  readonly wakeAt: number | null;
}

export type RoundState = Common &
  (
    | { readonly phase: "selecting"; readonly started: boolean }
    | {
        readonly phase: "training";
        readonly deadline: number;
        /** No further device comes: the cohort forms, or not, as soon as all are ready. */
        readonly closed?: true;
      }
    | {
        readonly phase: "reporting";
        readonly deadline: number;
        /** Members that have not reported, been refused or left. */
        readonly outstanding: ReadonlySet<DeviceId>;
      }
    | { readonly phase: "securing"; readonly cohort: SecureCohort }
    | { readonly phase: "aggregating"; readonly survivors: readonly DeviceId[]; readonly aggregated: boolean }
    /** Null: the round made no version. */
    | { readonly phase: "committed"; readonly version: ModelVersion | null }
    | { readonly phase: "buffered" }
    | { readonly phase: "abandoned"; readonly code: ErrorCode }
  );

/** Everything that can happen to a round; `now` in milliseconds on the coordinator's clock. */
export type RoundInput = { readonly now: number } & (
  | { readonly type: "start" }
  | { readonly type: "check-in"; readonly device: DeviceId; readonly examples: number }
  | { readonly type: "leave"; readonly device: DeviceId }
  | { readonly type: "disconnect"; readonly device: DeviceId }
  | ({ readonly type: "ready"; readonly device: DeviceId } & UpdateClaim)
  | ({ readonly type: "secure-ready"; readonly device: DeviceId } & SecureClaim)
  | { readonly type: "decline"; readonly device: DeviceId; readonly code: string }
  /** What `secure-open` asked for is there, by member. */
  | {
      readonly type: "secure-opened";
      readonly step: SecureStepName;
      readonly digests: readonly (Digest | null)[];
    }
  /** A member's answer to a step passed every check. */
  | { readonly type: "secure-answered"; readonly device: DeviceId; readonly step: SecureStepName }
  /** An upload passed every check. It counts if, and only if, the step answers with `accumulate`. */
  | { readonly type: "report-accepted"; readonly device: DeviceId; readonly digest: Digest }
  | { readonly type: "report-refused"; readonly device: DeviceId; readonly code: string }
  | { readonly type: "tick" }
  /** In buffered mode: the base is not the newest version any more, so that nobody else will train from it. */
  | { readonly type: "close" }
  /** The coordinator was restarted; the state is the replay of all inputs before. Not for secure cohorts: their secrets are gone. */
  | { readonly type: "resumed" }
  /** The mean was taken and evaluated; the commit is under way. */
  | { readonly type: "aggregated" }
  | { readonly type: "committed"; readonly version: ModelVersion | null }
  /** The cohort's sum is stored, and waits for its version. */
  | { readonly type: "buffered" }
  | { readonly type: "abandon"; readonly code: ErrorCode }
);

/** What the driver has to do after a step, in this order. */
export type RoundEffect =
  | { readonly type: "send"; readonly device: DeviceId; readonly message: ServerMessage }
  /** Give a `tick` at this time. The newest replaces the ones before. */
  | { readonly type: "wake-at"; readonly at: number }
  /** Add this device's checked update to the sum: once for each device. */
  | { readonly type: "accumulate"; readonly device: DeviceId; readonly claim: UpdateClaim }
  /** Prepare what these members need for a step, closing the one before; then `secure-opened`, or `abandon`. */
  | {
      readonly type: "secure-open";
      readonly step: SecureStepName;
      /** All members by number; null for those that are lost. */
      readonly members: readonly (DeviceId | null)[];
    }
  /** Send `secure-step` with a capability. */
  | {
      readonly type: "secure-step";
      readonly device: DeviceId;
      readonly step: SecureStepName;
      readonly member: number;
      readonly digest: Digest;
      readonly deadlineMs: number;
    }
  /** Seat these devices, which train or were waiting, in the next cohort on the same base; else they are superseded. */
  | { readonly type: "carry"; readonly devices: readonly DeviceId[] }
  /** All updates are in: take the mean, evaluate, commit; then `committed` or `buffered`, or `abandon`. */
  | { readonly type: "aggregate"; readonly devices: readonly DeviceId[] }
  | { readonly type: "ended"; readonly result: "committed"; readonly version: ModelVersion | null }
  | { readonly type: "ended"; readonly result: "buffered" }
  | { readonly type: "ended"; readonly result: "abandoned"; readonly code: ErrorCode };

export interface RoundStep {
  readonly state: RoundState;
  readonly effects: readonly RoundEffect[];
}
