import {
  choice,
  deviceId,
  digest,
  fixedBytes,
  list,
  modelName,
  modelVersion,
  optional,
  roundId,
  struct,
  taggedUnion,
  taskName,
  text,
  u16,
  u32,
  u53,
  type Codec,
  type DeviceId,
  type Digest,
  type ModelName,
  type ModelVersion,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import { channel, code, targetPath } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import type { SecureStepName } from "./secure-aggregation.ts";

/** First message of a connection: prove who you are, in one of these versions. */
export interface Challenge {
  /** 32 random bytes, used once. */
  nonce: Uint8Array;
  minVersion: number;
  maxVersion: number;
  /** The server's clock, so that deadlines can be read with a wrong clock on the device. */
  serverTimeMs: number;
}

/** The hello was good; the connection is a session now. */
export interface Welcome {
  version: number;
  deviceId: DeviceId;
  heartbeatIntervalMs: number;
  /** Names this session in both sides' logs. */
  sessionId: string;
}

/** One detail of a refusal. */
export interface RefusalDetail {
  key: string;
  value: string;
}

/** Something the device asked for, or the connection itself, is refused. Sent before every close. */
export interface Refusal {
  code: string;
  message: string;
  detail: readonly RefusalDetail[];
  /** When to try again; absent: not at all with the same request. */
  retryAfterMs?: number;
}

/** What every offer of a round says. */
export interface RoundOffer {
  task: TaskName;
  roundId: RoundId;
  /** Number of the round within its task, from 1. */
  round: number;
  baseVersion: ModelVersion;
  planTarget: string;
  planDigest: Digest;
  weightsTarget: string;
  weightsDigest: Digest;
  /** Absolute, on the server's clock: `ready` after this is late. */
  trainDeadlineMs: number;
  /** The device needs TUF metadata at least this new. */
  timestampVersion: number;
}

/** Train this plan from these weights and say `ready`, or `decline`. */
export interface Offer extends RoundOffer {
  /** Which step of the task begins at the base version, from 1: learning-rate schedules count these. */
  trainingRound: number;
  /** With control variates: the coordinator's, after the base version; absent: they are zero, and begin with this round. */
  control?: { target: string; digest: Digest };
}

/** A released or trained version, by the weights that measure it. */
export interface VersionReference {
  version: ModelVersion;
  weightsTarget: string;
  weightsDigest: Digest;
}

/**
 * Measure by this plan, of `models/<model>/measurements/`, and say `ready`, or `decline`; from there on it is a round like others. Fields as
 * in `offer`: the base is the version to measure.
 */
export interface MeasurementOffer extends RoundOffer {
  /** To be measured on the same examples. */
  candidate?: VersionReference;
}

/** The device is in the cohort: upload the update it named in `ready`. */
export interface RequestReport {
  roundId: RoundId;
  /** Absolute, on the server's clock. */
  deadlineMs: number;
  /** Path of the PUT on the coordinator's origin, the update's digest included. */
  uploadPath: string;
}

/** The device is a member of a secure cohort: get what the step needs, check it, and put the answer. */
export interface SecureStep {
  roundId: RoundId;
  step: SecureStepName;
  /** The device's place in the cohort list. */
  member: number;
  /** SHA-256 of what `secureInputPath` gives. */
  digest: Digest;
  /** Absolute, on the server's clock. */
  deadlineMs: number;
  /** Lets this member get and put this step's bytes until the deadline; 32 bytes. */
  capability: Uint8Array;
}

/** How a round ended for this device. */
export type OutcomeResult =
  | "committed"
  | "abandoned"
  | "not-needed"
  | "late"
  | "refused"
  /** The sum it is in waits for its version. */
  | "buffered"
  /** The cohort on its base did not fill: train from the newest version. */
  | "superseded";

/** The round is over for this device; it may discard its update. */
export interface Outcome {
  roundId: RoundId;
  result: OutcomeResult;
  /** The version the round committed. */
  version?: ModelVersion;
  /** Why, when it was not committed. */
  code?: string;
}

/** A version was released on a channel this device subscribes to. */
export interface Release {
  model: ModelName;
  channel: string;
  version: ModelVersion;
  timestampVersion: number;
}

/**
 * Nothing to train now: say `check-in` again after `retryAfterMs`, at a moment of the device's own choice within
 * `windowMs`. To a device that stays connected a push may still come earlier.
 */
export interface Wait {
  task: TaskName;
  retryAfterMs: number;
  windowMs: number;
}

/** Answer to a heartbeat, with its nonce. */
export interface HeartbeatAck {
  nonce: number;
}

interface ServerMessages {
  challenge: Challenge;
  welcome: Welcome;
  refusal: Refusal;
  offer: Offer;
  "offer-measurement": MeasurementOffer;
  "request-report": RequestReport;
  "secure-step": SecureStep;
  outcome: Outcome;
  release: Release;
  wait: Wait;
  "heartbeat-ack": HeartbeatAck;
}

/** What a coordinator says to a device. */
export type ServerMessage = {
  [Type in keyof ServerMessages]: { readonly type: Type } & Readonly<ServerMessages[Type]>;
}[keyof ServerMessages];

export const Challenge: Codec<Challenge> = struct({
  nonce: fixedBytes(32),
  minVersion: u16,
  maxVersion: u16,
  serverTimeMs: u53,
});

export const Welcome: Codec<Welcome> = struct({
  version: u16,
  deviceId,
  heartbeatIntervalMs: u32,
  sessionId: text({ max: 64 }),
});

export const RefusalDetail: Codec<RefusalDetail> = struct({
  key: text({ max: 64 }),
  value: text({ max: 256 }),
});

export const Refusal: Codec<Refusal> = struct({
  code,
  message: text({ max: LIMITS.maxMessageBytes }),
  detail: list(RefusalDetail, { max: LIMITS.maxDetailEntries }),
  retryAfterMs: optional(u32),
});

const OFFER_FIELDS = {
  task: taskName,
  roundId,
  round: u32,
  baseVersion: modelVersion,
  planTarget: targetPath,
  planDigest: digest,
  weightsTarget: targetPath,
  weightsDigest: digest,
  trainDeadlineMs: u53,
  timestampVersion: u32,
};

export const Offer: Codec<Offer> = struct({
  ...OFFER_FIELDS,
  trainingRound: u32,
  control: optional(struct({ target: targetPath, digest })),
});

const VersionReference: Codec<VersionReference> = struct({
  version: modelVersion,
  weightsTarget: targetPath,
  weightsDigest: digest,
});

export const MeasurementOffer: Codec<MeasurementOffer> = struct({
  ...OFFER_FIELDS,
  candidate: optional(VersionReference),
});

export const RequestReport: Codec<RequestReport> = struct({
  roundId,
  deadlineMs: u53,
  uploadPath: text({ max: 256 }),
});

const secureStepName: Codec<SecureStepName> = choice({ advertise: 1, share: 2, mask: 3, sign: 4, unmask: 5 });

export const SecureStep: Codec<SecureStep> = struct({
  roundId,
  step: secureStepName,
  member: u16,
  digest,
  deadlineMs: u53,
  capability: fixedBytes(32),
});

const outcomeResult: Codec<OutcomeResult> = choice({
  committed: 1,
  abandoned: 2,
  "not-needed": 3,
  late: 4,
  refused: 5,
  buffered: 6,
  superseded: 7,
});

export const Outcome: Codec<Outcome> = struct({
  roundId,
  result: outcomeResult,
  version: optional(modelVersion),
  code: optional(code),
});

export const Release: Codec<Release> = struct({
  model: modelName,
  channel,
  version: modelVersion,
  timestampVersion: u32,
});

export const Wait: Codec<Wait> = struct({ task: taskName, retryAfterMs: u32, windowMs: u32 });

export const HeartbeatAck: Codec<HeartbeatAck> = struct({ nonce: u32 });

/** Server messages have tags below 64, device messages from 64: a mixed-up direction is an unknown tag. */
export const ServerMessage: Codec<ServerMessage> = taggedUnion("type", {
  challenge: [1, Challenge],
  welcome: [2, Welcome],
  refusal: [3, Refusal],
  "request-report": [5, RequestReport],
  outcome: [6, Outcome],
  release: [7, Release],
  "heartbeat-ack": [9, HeartbeatAck],
  "secure-step": [10, SecureStep],
  // 8 was a `wait` without a window.
  wait: [11, Wait],
  "offer-measurement": [12, MeasurementOffer],
  // 4 was an `offer` that did not say which step of its task it begins.
  offer: [13, Offer],
});
