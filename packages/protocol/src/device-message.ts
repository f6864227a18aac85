import {
  bytes,
  choice,
  digest,
  fixedBytes,
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
  type Digest,
  type ModelName,
  type ModelVersion,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import { channel, code } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import type { IneligibleReason } from "./task-eligibility.ts";

/** Answer to the challenge: who the device is, proved by its key. */
export interface Hello {
  /** The version the device chose from the challenge's range. */
  version: number;
  /** The enrolment certificate, as issued. */
  certificate: Uint8Array;
  /** Ed25519 by the certificate's key over {@link helloMessage}. */
  signature: Uint8Array;
  /** Name and version of the device's software, for the operator's statistics. */
  software: string;
}

/** Tell this connection about releases of a model. */
export interface Subscribe {
  model: ModelName;
  channel: string;
  /** The version running now; absent: none yet. */
  runningVersion?: ModelVersion;
}

/** The device is willing to train for a task. Repeated after a reconnect. */
export interface CheckIn {
  task: TaskName;
  /** Examples it could train on. */
  examples: number;
}

/** The device no longer takes part in a task: consent withdrawn, or nothing left to train on. */
export interface Leave {
  task: TaskName;
}

/** Training is done; this is the update the device would upload. */
export interface Ready {
  roundId: RoundId;
  /** Examples trained on: the update's weight. */
  numExamples: number;
  /** SHA-256 of the whole upload body. */
  updateDigest: Digest;
  /** Length of the whole upload body. */
  sizeBytes: number;
}

/** Training for a secure round is done. Nothing of the update is told, nor how many examples it stands for. */
export interface SecureReady {
  roundId: RoundId;
  /** Hash of the nonce that the member will reveal with its keys. */
  commitment: Digest;
  /** The device's own; the other members verify it. */
  certificate: Uint8Array;
}

/** The device will not train this offer. */
export interface Decline {
  roundId: RoundId;
  code: string;
}

/** The device runs a version now. */
export interface Running {
  model: ModelName;
  version: ModelVersion;
  /** From the release message to the first run on the new version. */
  appliedAfterMs: number;
}

/**
 * A version was verified and did not take the place of the one that runs: it could not be loaded, or answered otherwise than where it
 * was published.
 */
export interface RefusedVersion {
  model: ModelName;
  version: ModelVersion;
  /** Of an error, from the catalogue. */
  code: string;
}

/**
 * The device is willing and none of those that the task asks for now, by the rules in its plan: said instead of
 * `check-in`. It tells which rule, and nothing of its own values.
 */
export interface Ineligible {
  task: TaskName;
  reason: IneligibleReason;
}

/** Sent when nothing else was sent for the heartbeat interval. */
export interface Heartbeat {
  nonce: number;
}

interface DeviceMessages {
  hello: Hello;
  subscribe: Subscribe;
  "check-in": CheckIn;
  leave: Leave;
  ready: Ready;
  "secure-ready": SecureReady;
  decline: Decline;
  running: Running;
  heartbeat: Heartbeat;
  ineligible: Ineligible;
  "refused-version": RefusedVersion;
}

/** What a device says to a coordinator. */
export type DeviceMessage = {
  [Type in keyof DeviceMessages]: { readonly type: Type } & Readonly<DeviceMessages[Type]>;
}[keyof DeviceMessages];

export const Hello: Codec<Hello> = struct({
  version: u16,
  certificate: bytes({ max: LIMITS.maxCertificateBytes }),
  signature: fixedBytes(64),
  software: text({ max: LIMITS.maxSoftwareBytes }),
});

export const Subscribe: Codec<Subscribe> = struct({
  model: modelName,
  channel,
  runningVersion: optional(modelVersion),
});

export const CheckIn: Codec<CheckIn> = struct({ task: taskName, examples: u32 });

export const Leave: Codec<Leave> = struct({ task: taskName });

export const Ready: Codec<Ready> = struct({
  roundId,
  numExamples: u32,
  updateDigest: digest,
  sizeBytes: u53,
});

export const SecureReady: Codec<SecureReady> = struct({
  roundId,
  commitment: digest,
  certificate: bytes({ max: LIMITS.maxCertificateBytes }),
});

export const Decline: Codec<Decline> = struct({ roundId, code });

export const Running: Codec<Running> = struct({
  model: modelName,
  version: modelVersion,
  appliedAfterMs: u32,
});

export const Heartbeat: Codec<Heartbeat> = struct({ nonce: u32 });

const ineligibleReason: Codec<IneligibleReason> = choice({
  engine: 1,
  memory: 2,
  battery: 3,
  network: 4,
  locale: 5,
  tags: 6,
  storage: 7,
});

export const Ineligible: Codec<Ineligible> = struct({ task: taskName, reason: ineligibleReason });

export const RefusedVersion: Codec<RefusedVersion> = struct({
  model: modelName,
  version: modelVersion,
  code,
});

/** Tags from 64; those below belong to the server. */
export const DeviceMessage: Codec<DeviceMessage> = taggedUnion("type", {
  hello: [64, Hello],
  subscribe: [65, Subscribe],
  "check-in": [66, CheckIn],
  leave: [67, Leave],
  ready: [68, Ready],
  decline: [69, Decline],
  running: [70, Running],
  heartbeat: [71, Heartbeat],
  "secure-ready": [72, SecureReady],
  ineligible: [73, Ineligible],
  "refused-version": [74, RefusedVersion],
});
