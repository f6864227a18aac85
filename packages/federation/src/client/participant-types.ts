import type { Digest, ModelVersion, RoundId, TaskName } from "@tributary/core";
import type {
  DeviceMessage,
  IneligibleReason,
  MeasurementOffer,
  Offer,
  RoundOffer,
  OutcomeResult,
  SecureStep,
  SecureStepName,
  ServerMessage,
} from "@tributary/protocol";

/** One device's part in one task. Times are milliseconds on the coordinator's clock (see `challenge.serverTimeMs`). */
export interface ParticipantConfig {
  readonly task: TaskName;
  /** First delay before a failed upload is tried again; it doubles, up to `maxRetryDelayMs`. */
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
  /** How long after the training deadline an update waits to be asked for before it is discarded. */
  readonly keepReadyMs: number;
}

export const PARTICIPANT_DEFAULTS = Object.freeze({
  retryDelayMs: 500,
  maxRetryDelayMs: 8_000,
  keepReadyMs: 60_000,
}) satisfies Omit<ParticipantConfig, "task">;

/** A finished update, kept by the driver under its round until `discard-update`. */
export interface LocalUpdate {
  readonly numExamples: number;
  /** SHA-256 of the upload body. */
  readonly updateDigest: Digest;
  readonly sizeBytes: number;
  /** Coordinates of `trainingMetrics`; they travel in the body. */
  readonly metrics: readonly number[];
}

/** A finished update of a secure round: the driver keeps it encoded, with the secrets that the commitment is for. */
export interface SecureUpdate {
  readonly numExamples: number;
  readonly commitment: Digest;
  /** The device's own, for the other members. */
  readonly certificate: Uint8Array;
}

/** What the device is doing for the task. */
export type Activity =
  | { readonly type: "idle" }
  /** Training, or measuring. */
  | { readonly type: "training"; readonly offer: RoundOffer }
  /** Trained; waiting to be asked. */
  | { readonly type: "ready"; readonly offer: RoundOffer; readonly update: LocalUpdate | SecureUpdate }
  | {
      readonly type: "securing";
      readonly offer: RoundOffer;
      readonly update: SecureUpdate;
      readonly request: SecureStep;
      /** Failures of this step so far. */
      readonly failures: number;
      /** When to try again; null: the step is under way, or was answered. */
      readonly retryAt: number | null;
      /** The coordinator has the answer; waiting for the next step or the outcome. */
      readonly answered: boolean;
    }
  | {
      readonly type: "uploading";
      readonly offer: RoundOffer;
      readonly update: LocalUpdate;
      readonly path: string;
      readonly deadlineMs: number;
      /** Failures so far. */
      readonly failures: number;
      /** When to try again; null: an upload is under way. */
      readonly retryAt: number | null;
    }
  /** The coordinator has the update; waiting for the outcome. */
  | { readonly type: "reported"; readonly offer: RoundOffer; readonly update: LocalUpdate };

export interface ParticipantState {
  readonly connected: boolean;
  readonly consent: { readonly granted: boolean; readonly examples: number };
  /** A check-in stands on this connection. */
  readonly checkedIn: boolean;
  /** The rule of the task's plan that the device does not meet now; null: it meets all. */
  readonly ineligible: IneligibleReason | null;
  /** Whether the coordinator knows that, on this connection. */
  readonly toldIneligible: IneligibleReason | null;
  /** When to ask again after a `wait`. */
  readonly checkInAt: number | null;
  readonly activity: Activity;
}

export type ParticipantInput = { readonly now: number } & (
  | { readonly type: "connected" }
  | { readonly type: "disconnected" }
  /** With the device's own draw from [0, 1), for when it comes back after a `wait`; left out: at the window's begin. */
  | { readonly type: "message"; readonly message: ServerMessage; readonly jitter?: number }
  | ({ readonly type: "trained"; readonly roundId: RoundId } & LocalUpdate)
  | ({ readonly type: "trained-securely"; readonly roundId: RoundId } & SecureUpdate)
  | { readonly type: "secure-answered"; readonly roundId: RoundId; readonly step: SecureStepName }
  | {
      readonly type: "secure-failed";
      readonly roundId: RoundId;
      readonly step: SecureStepName;
      readonly code: string;
      readonly retryable: boolean;
    }
  | { readonly type: "train-failed"; readonly roundId: RoundId; readonly code: string }
  | { readonly type: "uploaded"; readonly roundId: RoundId }
  | {
      readonly type: "upload-failed";
      readonly roundId: RoundId;
      readonly code: string;
      readonly retryable: boolean;
    }
  /** Consent given or withdrawn, or the number of examples changed. */
  | { readonly type: "consent"; readonly granted: boolean; readonly examples: number }
  /** Whether the device meets the rules of the task's plan; null: it does. */
  | { readonly type: "eligibility"; readonly reason: IneligibleReason | null }
  | { readonly type: "tick" }
);

/** What the app hears. */
export type ParticipantEvent =
  | { readonly type: "checked-in"; readonly examples: number }
  | { readonly type: "ineligible"; readonly reason: IneligibleReason }
  | {
      readonly type: "offered";
      readonly roundId: RoundId;
      readonly round: number;
      readonly baseVersion: ModelVersion;
    }
  | { readonly type: "trained"; readonly roundId: RoundId }
  | { readonly type: "reporting"; readonly roundId: RoundId }
  | { readonly type: "uploaded"; readonly roundId: RoundId; readonly sizeBytes: number }
  | {
      readonly type: "outcome";
      readonly roundId: RoundId;
      readonly result: OutcomeResult;
      readonly version?: ModelVersion;
      readonly code?: string;
    }
  | { readonly type: "failed"; readonly roundId: RoundId; readonly code: string };

/** What the driver has to do after a step, in this order. */
export type ParticipantEffect =
  | { readonly type: "send"; readonly message: DeviceMessage }
  /** Download, check and train; answer `trained` or `train-failed`. */
  | { readonly type: "train"; readonly offer: Offer }
  /** Download, check and measure; answer `trained`, with what was measured for an update, or `train-failed`. */
  | { readonly type: "measure"; readonly offer: MeasurementOffer }
  | { readonly type: "cancel-training"; readonly roundId: RoundId }
  /** The training for one round goes on for another: answer for that one. */
  | { readonly type: "carry-training"; readonly roundId: RoundId; readonly offer: Offer }
  /** PUT the kept update; answer `uploaded` or `upload-failed`. */
  | {
      readonly type: "upload";
      readonly roundId: RoundId;
      readonly path: string;
      readonly digest: Digest;
      readonly deadlineMs: number;
    }
  | { readonly type: "cancel-upload"; readonly roundId: RoundId }
  /** GET what the step needs, PUT the answer; asked again for one that was made, PUT that. `secure-answered` or `secure-failed`. */
  | { readonly type: "secure-step"; readonly roundId: RoundId; readonly request: SecureStep }
  | { readonly type: "cancel-secure-step"; readonly roundId: RoundId; readonly step: SecureStepName }
  /** The kept update is not needed any more. */
  | { readonly type: "discard-update"; readonly roundId: RoundId }
  /** Give a `tick` at this time. The newest replaces the ones before. */
  | { readonly type: "wake-at"; readonly at: number }
  | { readonly type: "notify"; readonly event: ParticipantEvent };

export interface ParticipantStep {
  readonly state: ParticipantState;
  readonly effects: readonly ParticipantEffect[];
}
