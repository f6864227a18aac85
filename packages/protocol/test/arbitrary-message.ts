import {
  encodeHex,
  type DeviceId,
  type Digest,
  type ModelName,
  type ModelVersion,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import * as fc from "fast-check";
import { INELIGIBLE_REASONS, type DeviceMessage, type ServerMessage } from "../src/index.ts";

const hex = (length: number) =>
  fc.uint8Array({ minLength: length / 2, maxLength: length / 2 }).map((raw) => encodeHex(raw));
const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u53 = fc.maxSafeNat();
const digest = hex(64) as fc.Arbitrary<Digest>;
const deviceId = hex(32) as fc.Arbitrary<DeviceId>;
const task = name as fc.Arbitrary<TaskName>;
const model = name as fc.Arbitrary<ModelName>;
const version = fc.integer({ min: 1, max: 0xffff_ffff }) as fc.Arbitrary<ModelVersion>;
const roundId = fc.stringMatching(/^[a-z0-9-]{1,64}$/) as fc.Arbitrary<RoundId>;
/** Texts whose UTF-8 fits: at most 4 bytes a code point. */
const text = (maxBytes: number) =>
  fc.string({ unit: "binary", maxLength: Math.floor(maxBytes / 4) }).filter((s) => s.isWellFormed());
const raw = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const requiredKeys = <T>(keys: readonly (keyof T)[]) => ({ requiredKeys: keys as (keyof T)[] });

export const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({
    type: fc.constant("challenge" as const),
    nonce: raw(32),
    minVersion: u16,
    maxVersion: u16,
    serverTimeMs: u53,
  }),
  fc.record({
    type: fc.constant("welcome" as const),
    version: u16,
    deviceId,
    heartbeatIntervalMs: u32,
    sessionId: text(64),
  }),
  fc.record(
    {
      type: fc.constant("refusal" as const),
      code: text(64),
      message: text(512),
      detail: fc.array(fc.record({ key: text(64), value: text(256) }), { maxLength: 16 }),
      retryAfterMs: u32,
    },
    requiredKeys(["type", "code", "message", "detail"]),
  ) as fc.Arbitrary<ServerMessage>,
  fc.record(
    {
      type: fc.constant("offer" as const),
      task,
      roundId,
      round: u32,
      baseVersion: version,
      planTarget: text(256),
      planDigest: digest,
      weightsTarget: text(256),
      weightsDigest: digest,
      trainDeadlineMs: u53,
      timestampVersion: u32,
      trainingRound: u32,
      control: fc.record({ target: text(256), digest }),
    },
    requiredKeys([
      "type",
      "task",
      "roundId",
      "round",
      "baseVersion",
      "planTarget",
      "planDigest",
      "weightsTarget",
      "weightsDigest",
      "trainDeadlineMs",
      "timestampVersion",
      "trainingRound",
    ]),
  ) as fc.Arbitrary<ServerMessage>,
  fc.record(
    {
      type: fc.constant("offer-measurement" as const),
      task,
      roundId,
      round: u32,
      baseVersion: version,
      planTarget: text(256),
      planDigest: digest,
      weightsTarget: text(256),
      weightsDigest: digest,
      trainDeadlineMs: u53,
      timestampVersion: u32,
      candidate: fc.record({ version, weightsTarget: text(256), weightsDigest: digest }),
    },
    requiredKeys([
      "type",
      "task",
      "roundId",
      "round",
      "baseVersion",
      "planTarget",
      "planDigest",
      "weightsTarget",
      "weightsDigest",
      "trainDeadlineMs",
      "timestampVersion",
    ]),
  ) as fc.Arbitrary<ServerMessage>,
  fc.record({
    type: fc.constant("request-report" as const),
    roundId,
    deadlineMs: u53,
    uploadPath: text(256),
  }),
  fc.record(
    {
      type: fc.constant("outcome" as const),
      roundId,
      result: fc.constantFrom("committed", "abandoned", "not-needed", "late", "refused"),
      version,
      code: text(64),
    },
    requiredKeys(["type", "roundId", "result"]),
  ) as fc.Arbitrary<ServerMessage>,
  fc.record({
    type: fc.constant("release" as const),
    model,
    channel: text(32),
    version,
    timestampVersion: u32,
  }),
  fc.record({
    type: fc.constant("secure-step" as const),
    roundId,
    step: fc.constantFrom("advertise", "share", "mask", "sign", "unmask"),
    member: u16,
    digest,
    deadlineMs: u53,
    capability: raw(32),
  }),
  fc.record({ type: fc.constant("wait" as const), task, retryAfterMs: u32, windowMs: u32 }),
  fc.record({ type: fc.constant("heartbeat-ack" as const), nonce: u32 }),
);

export const deviceMessage: fc.Arbitrary<DeviceMessage> = fc.oneof(
  fc.record({
    type: fc.constant("hello" as const),
    version: u16,
    certificate: fc.uint8Array({ maxLength: 1024 }),
    signature: raw(64),
    software: text(64),
  }),
  fc.record(
    { type: fc.constant("subscribe" as const), model, channel: text(32), runningVersion: version },
    requiredKeys(["type", "model", "channel"]),
  ) as fc.Arbitrary<DeviceMessage>,
  fc.record({ type: fc.constant("check-in" as const), task, examples: u32 }),
  fc.record({ type: fc.constant("leave" as const), task }),
  fc.record({
    type: fc.constant("ineligible" as const),
    task,
    reason: fc.constantFrom(...INELIGIBLE_REASONS),
  }),
  fc.record({
    type: fc.constant("ready" as const),
    roundId,
    numExamples: u32,
    updateDigest: digest,
    sizeBytes: u53,
  }),
  fc.record({
    type: fc.constant("secure-ready" as const),
    roundId,
    commitment: digest,
    certificate: fc.uint8Array({ maxLength: 1024 }),
  }),
  fc.record({ type: fc.constant("decline" as const), roundId, code: text(64) }),
  fc.record({ type: fc.constant("running" as const), model, version, appliedAfterMs: u32 }),
  fc.record({ type: fc.constant("refused-version" as const), model, version, code: text(64) }),
  fc.record({ type: fc.constant("heartbeat" as const), nonce: u32 }),
);
