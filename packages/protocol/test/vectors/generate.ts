// Writes control.json and the table of SPEC.md: node --conditions=@tributary/source test/vectors/generate.ts
// Run it only to add vectors: a changed frame is a changed protocol, and needs a new version.
import { readFileSync, writeFileSync } from "node:fs";
import { encodeHex } from "@tributary/core";
import { encodeDeviceMessage, encodeServerMessage } from "../../src/index.ts";
import { reviveVector, type Vector } from "./vector.ts";

const digest = (byte: string) => byte.repeat(32);
const roundId = "digits-00000007";

const messages: readonly Omit<Vector, "frame">[] = [
  {
    name: "challenge",
    side: "server",
    message: {
      type: "challenge",
      nonce: { hex: "00".repeat(31) + "01" },
      minVersion: 1,
      maxVersion: 1,
      serverTimeMs: 1_767_225_600_000,
    },
  },
  {
    name: "welcome",
    side: "server",
    message: {
      type: "welcome",
      version: 1,
      deviceId: "0123456789abcdef0123456789abcdef",
      heartbeatIntervalMs: 15_000,
      sessionId: "s-1",
    },
  },
  {
    name: "refusal that may be tried again",
    side: "server",
    message: {
      type: "refusal",
      code: "protocol/too-many-messages",
      message: "Too many messages in a short time.",
      detail: [{ key: "messagesPerSecond", value: "16" }],
      retryAfterMs: 1000,
    },
  },
  {
    name: "refusal for good",
    side: "server",
    message: { type: "refusal", code: "identity/revoked", message: "The device was revoked.", detail: [] },
  },
  {
    name: "offer",
    side: "server",
    message: {
      type: "offer",
      task: "digits",
      roundId,
      round: 7,
      baseVersion: 6,
      planTarget: "plans/digits/1.json",
      planDigest: digest("aa"),
      weightsTarget: "models/digits/versions/6/weights.safetensors",
      weightsDigest: digest("bb"),
      trainDeadlineMs: 1_767_225_660_000,
      timestampVersion: 9,
      trainingRound: 6,
    },
  },
  {
    name: "offer, with control variates",
    side: "server",
    message: {
      type: "offer",
      task: "digits",
      roundId,
      round: 7,
      baseVersion: 6,
      planTarget: "plans/digits/1.json",
      planDigest: digest("aa"),
      weightsTarget: "models/digits/versions/6/weights.safetensors",
      weightsDigest: digest("bb"),
      trainDeadlineMs: 1_767_225_660_000,
      timestampVersion: 9,
      trainingRound: 6,
      control: { target: "controls/digits/6.safetensors", digest: digest("cc") },
    },
  },
  {
    name: "offer-measurement, with a candidate",
    side: "server",
    message: {
      type: "offer-measurement",
      task: "digits",
      roundId,
      round: 7,
      baseVersion: 5,
      planTarget: "measurements/digits/1.json",
      planDigest: digest("aa"),
      weightsTarget: "models/digits/versions/5/weights.safetensors",
      weightsDigest: digest("bb"),
      trainDeadlineMs: 1_767_225_660_000,
      timestampVersion: 9,
      candidate: {
        version: 6,
        weightsTarget: "models/digits/versions/6/weights.safetensors",
        weightsDigest: digest("cc"),
      },
    },
  },
  {
    name: "request-report",
    side: "server",
    message: {
      type: "request-report",
      roundId,
      deadlineMs: 1_767_225_680_000,
      uploadPath: `/v1/rounds/${roundId}/updates/${digest("cc")}`,
    },
  },
  {
    name: "outcome committed",
    side: "server",
    message: { type: "outcome", roundId, result: "committed", version: 7 },
  },
  {
    name: "outcome abandoned",
    side: "server",
    message: { type: "outcome", roundId, result: "abandoned", code: "round/too-few-reports" },
  },
  {
    name: "release",
    side: "server",
    message: { type: "release", model: "digits", channel: "stable", version: 7, timestampVersion: 10 },
  },
  {
    name: "wait",
    side: "server",
    message: { type: "wait", task: "digits", retryAfterMs: 5000, windowMs: 2000 },
  },
  { name: "heartbeat-ack", side: "server", message: { type: "heartbeat-ack", nonce: 4_294_967_295 } },
  {
    name: "secure-step",
    side: "server",
    message: {
      type: "secure-step",
      roundId,
      step: "mask",
      member: 3,
      digest: digest("dd"),
      deadlineMs: 1_767_225_690_000,
      capability: { hex: "77".repeat(32) },
    },
  },
  {
    name: "hello",
    side: "device",
    message: {
      type: "hello",
      version: 1,
      certificate: { hex: "c0ffee" },
      signature: { hex: "5a".repeat(64) },
      software: "tributary/0.1.0",
    },
  },
  {
    name: "subscribe, running a version",
    side: "device",
    message: { type: "subscribe", model: "digits", channel: "stable", runningVersion: 6 },
  },
  {
    name: "subscribe, running none",
    side: "device",
    message: { type: "subscribe", model: "digits", channel: "stable" },
  },
  { name: "check-in", side: "device", message: { type: "check-in", task: "digits", examples: 600 } },
  { name: "leave", side: "device", message: { type: "leave", task: "digits" } },
  {
    name: "ineligible",
    side: "device",
    message: { type: "ineligible", task: "digits", reason: "battery" },
  },
  {
    name: "ready",
    side: "device",
    message: {
      type: "ready",
      roundId,
      numExamples: 600,
      updateDigest: digest("cc"),
      sizeBytes: 796_944,
    },
  },
  {
    name: "decline",
    side: "device",
    message: { type: "decline", roundId, code: "federation/no-examples" },
  },
  {
    name: "running",
    side: "device",
    message: { type: "running", model: "digits", version: 7, appliedAfterMs: 312 },
  },
  {
    name: "refused-version",
    side: "device",
    message: {
      type: "refused-version",
      model: "digits",
      version: 8,
      code: "runtime/self-check-failed",
    },
  },
  { name: "heartbeat", side: "device", message: { type: "heartbeat", nonce: 1 } },
  {
    name: "secure-ready",
    side: "device",
    message: {
      type: "secure-ready",
      roundId,
      commitment: digest("ee"),
      certificate: { hex: "c0ffee" },
    },
  },
];

const vectors: Vector[] = messages.map((vector) => {
  const message = reviveVector(vector.message) as never;
  const frame = vector.side === "server" ? encodeServerMessage(message) : encodeDeviceMessage(message);
  return { ...vector, frame: encodeHex(frame) };
});

writeFileSync(new URL("./control.json", import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);

const specUrl = new URL("../../SPEC.md", import.meta.url);
const spec = readFileSync(specUrl, "utf8");
const rows = vectors.map(({ side, name, frame }) => `| ${side} | ${name} | \`${frame}\` |`);
const table = ["| from | message | frame (hex) |", "|---|---|---|", ...rows].join("\n");
writeFileSync(
  specUrl,
  spec.replace(/<!-- vectors -->[\s\S]*<!-- \/vectors -->/, `<!-- vectors -->\n${table}\n<!-- /vectors -->`),
);
