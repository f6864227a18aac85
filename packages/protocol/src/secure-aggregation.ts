import type { Digest, RoundId } from "@tributary/core";
import Type, { type Static } from "typebox";
import { readonlyArray, textEnum } from "./schema.ts";

/** Steps of secure aggregation, in order; those of SPEC.md under shorter names. */
export const SECURE_STEPS = ["advertise", "share", "mask", "sign", "unmask"] as const;
export type SecureStepName = (typeof SECURE_STEPS)[number];

/** Scheme of `Authorization` for a member's requests: `Tributary-Capability <base64url>`. */
export const CAPABILITY_SCHEME = "Tributary-Capability";

/** Where a member gets what a step needs. */
export function secureInputPath(roundId: RoundId, step: SecureStepName, member: number): string {
  return `/v1/secure/${roundId}/${step}/${member}`;
}

/** Where a member puts its answer, named by the SHA-256 of the body. */
export function secureAnswerPath(
  roundId: RoundId,
  step: SecureStepName,
  member: number,
  digest: Digest,
): string {
  return `${secureInputPath(roundId, step, member)}/${digest}`;
}

const Share = { minimum: 0, maximum: 0.9 };
const count = Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 });
const bits = Type.Integer({ minimum: 1, maximum: 31 });
const segment = { name: Type.String({ minLength: 1, maxLength: 64 }), count };

/** What a vector holds, in order; the encodings of SPEC.md. */
const SegmentDocument = Type.Union([
  Type.Object({
    ...segment,
    codec: Type.Literal("update"),
    bits,
    bound: Type.Number({ exclusiveMinimum: 0 }),
    rotationBlock: Type.Integer({ minimum: 0, maximum: 2 ** 30 }),
  }),
  Type.Object({
    ...segment,
    codec: Type.Literal("state"),
    bits,
    bound: Type.Number({ exclusiveMinimum: 0 }),
  }),
  Type.Object({ ...segment, codec: Type.Literal("counts"), maximum: count }),
  Type.Object({
    ...segment,
    codec: Type.Literal("reals"),
    bits,
    minimum: Type.Number(),
    maximum: Type.Number(),
  }),
]);

const corruption = { ...Share, description: "Largest share of members that may be corrupt" };
const dropout = { ...Share, description: "Largest share of members that may drop out" };
const minimumCohort = {
  minimum: 3,
  maximum: 10_000,
  description: "Fewest members of a cohort, and of a sum; below 16 it is a trial and not private",
};

/** Of a plan: devices know before they train how, and with how many others, their update will be summed. */
export const SecurePlan = Type.Object({
  minimumCohort: Type.Integer(minimumCohort),
  corruption: Type.Number(corruption),
  dropout: Type.Number(dropout),
  /** Raw Ed25519 public key, in hex, of the issuer whose certificates members accept of each other. */
  issuerPublicKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  encoding: Type.Object({
    clients: Type.Integer({ minimum: 3, maximum: 10_000 }),
    maxWeight: Type.Number({ exclusiveMinimum: 0 }),
    rotationSeed: Type.String({ maxLength: 64 }),
    /** `update` (the weights), `state` where there are statistics, then `trainingMetrics` as counts (examples, correct, steps) and reals (lossSum). */
    segments: readonlyArray(SegmentDocument, { minItems: 1, maxItems: 255 }),
  }),
});
export type SecurePlan = Static<typeof SecurePlan>;

/** Of a task: whether, and how, the coordinator sees sums only. */
export const SecureSpec = Type.Object(
  {
    mode: textEnum(["on", "off"], {
      default: "on",
      description: "on: the coordinator learns the cohort's sum and no single update; off: it sees each",
    }),
    minimumCohort: Type.Integer({ ...minimumCohort, default: 16 }),
    corruption: Type.Number({ ...corruption, default: 0.05 }),
    dropout: Type.Number({ ...dropout, default: 0.3 }),
    phaseDeadlineMs: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      default: 10_000,
      description: "Each of the five steps ends when all have answered, else then",
    }),
    valueBits: Type.Integer({
      minimum: 8,
      maximum: 24,
      default: 16,
      description: "Bits of one rounded value of an update",
    }),
    maxExampleLoss: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      default: 1000,
      description: "Largest mean loss a device can tell",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type SecureSpec = Static<typeof SecureSpec>;

const Count = Type.Integer({ minimum: 0 });

/** Of a round: how far its secure aggregation is, and what hides a single update in it. */
export const SecureView = Type.Object({
  step: textEnum(SECURE_STEPS),
  /** Members of the cohort when it was fixed; 0 before. */
  cohort: Count,
  /** Fewest members of any step: the task's floor and the signature threshold. */
  threshold: Count,
  /** Members whose masked vector is in the sum. */
  survivors: Count,
  /** Members lost by step. */
  lost: Type.Object({ advertise: Count, share: Count, mask: Count, sign: Count, unmask: Count }),
  /** Whether the smallest sum that can come out hides one update among at least 16. */
  private: Type.Boolean(),
  /** How much of the masks has been taken off, from 0 to 1. */
  unmasked: Type.Number({ minimum: 0, maximum: 1 }),
});
export type SecureView = Static<typeof SecureView>;
