import Type, { type Static } from "typebox";
import { AliasSchema } from "./aliases.ts";
import type { TaskSpec } from "./documents.ts";
import { DigestSchema, nullable, textEnum } from "./schema.ts";
import type { DocumentFault } from "./training-faults.ts";

// Of a task: what kind it is, which versions it measures, what its gate asks, and when its versions are released.

const strict = { additionalProperties: false };

export const TASK_KINDS = ["train", "evaluate", "telemetry"] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** What a round is for: a task's own work, or the gate of a training task. */
export const ROUND_PURPOSES = ["train", "gate", "evaluate", "telemetry"] as const;
export type RoundPurpose = (typeof ROUND_PURPOSES)[number];

/** What devices tell of how a version runs; `runs` is always told. */
export const TELEMETRY_GROUPS = [
  "latency",
  "errors",
  "predictions",
  "confidence",
  "labels",
  "throughput",
  "memory",
  "feedback",
  "features",
] as const;
export type TelemetryGroup = (typeof TELEMETRY_GROUPS)[number];

export const GATE_METRICS = ["loss", "accuracy"] as const;
export const RELEASE_POLICIES = ["every", "on-gate", "rollout", "manual"] as const;
export type ReleasePolicy = (typeof RELEASE_POLICIES)[number];

/** Whether a version is better, on devices that never train in the task. */
export const GateSpec = Type.Object(
  {
    metric: textEnum(GATE_METRICS, { default: "loss" }),
    heldOutShare: Type.Number({
      exclusiveMinimum: 0,
      maximum: 0.5,
      default: 0.1,
      description: "Share of devices that measure and never train in this task",
    }),
    requiredImprovement: Type.Number({
      minimum: -1e6,
      maximum: 1e6,
      default: 0,
      description:
        "Least improvement of the metric over the last version that passed; below 0: so much worse is allowed",
    }),
    confidence: Type.Number({
      minimum: 0.5,
      maximum: 0.9999,
      default: 0.95,
      description: "With which the improvement has to be at least that",
    }),
    patience: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 5,
      description: "Failures in a row after which the task pauses",
    }),
    minimumDevices: Type.Integer({
      minimum: 2,
      maximum: 10_000,
      default: 16,
      description:
        "Fewest held-out devices that a verdict rests on; one says nothing of how much devices differ",
    }),
  },
  strict,
);
export type GateSpec = Static<typeof GateSpec>;

/** Options of a task beside its training. */
export const MEASURING_FIELDS = {
  kind: textEnum(TASK_KINDS, {
    default: "train",
    description: "evaluate: the released version on devices' examples; telemetry: how it runs there",
  }),
  candidate: Type.Unsafe<string | number | null>(
    Type.Union([AliasSchema, Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 }), Type.Null()], {
      default: null,
      description:
        "evaluate: the version that is compared with the released one; newest is the newest of each time, another alias what it names when the task is created",
    }),
  ),
  telemetry: Type.Unsafe<readonly TelemetryGroup[]>(
    Type.Array(textEnum(TELEMETRY_GROUPS), {
      uniqueItems: true,
      default: [],
      description: "telemetry: what is counted besides runs; none named: all",
    }),
  ),
  reference: nullable(DigestSchema, {
    default: null,
    description:
      "telemetry: data set of the training population, a blob that was uploaded before; bins of features follow from it, and drift is measured against it. Null: against the task's first measurement",
  }),
  gate: nullable(GateSpec, {
    default: null,
    description: "train: what a version must show on held-out devices",
  }),
  release: textEnum(RELEASE_POLICIES, {
    default: "every",
    description:
      "train: when inference devices get a version; on-gate: if it passed; rollout: in steps, a rollout by default of the newest version, of those that passed where there is a gate; manual: when an operator says so",
  }),
};

/** At least so long from round to round where a task of measurements has no end: nothing new is learned sooner. */
export const MIN_MEASURING_PAUSE_MS = 10_000;

type Measured = Pick<
  TaskSpec,
  | "kind"
  | "candidate"
  | "telemetry"
  | "reference"
  | "gate"
  | "release"
  | "rounds"
  | "pauseBetweenRoundsMs"
  | "secureAggregation"
>;

/** The first of these options that the task's kind does not use, or that contradicts another; undefined: there is none. */
export function measuringFault(spec: Measured): DocumentFault | undefined {
  const { kind, candidate, telemetry, reference, gate, release, rounds } = spec;
  const { pauseBetweenRoundsMs, secureAggregation } = spec;
  if (candidate !== null && kind !== "evaluate") {
    return { path: "/candidate", problem: `is for kind "evaluate", this is "${kind}"` };
  }
  if (telemetry.length > 0 && kind !== "telemetry") {
    return { path: "/telemetry", problem: `is for kind "telemetry", this is "${kind}"` };
  }
  if (reference !== null && kind !== "telemetry") {
    return { path: "/reference", problem: `is for kind "telemetry", this is "${kind}"` };
  }
  if (gate !== null && kind !== "train") {
    return {
      path: "/gate",
      problem: `is for kind "train", this is "${kind}"; compare versions with /candidate`,
    };
  }
  if (release !== "every" && kind !== "train") {
    return { path: "/release", problem: `is for kind "train": "${kind}" makes no versions` };
  }
  if (release === "on-gate" && gate === null) {
    return { path: "/release", problem: '"on-gate" needs a /gate' };
  }
  if (kind !== "train" && rounds === null && pauseBetweenRoundsMs < MIN_MEASURING_PAUSE_MS) {
    return {
      path: "/pauseBetweenRoundsMs",
      problem: `must be at least ${MIN_MEASURING_PAUSE_MS} where a task of kind "${kind}" names no number of rounds`,
    };
  }
  if (
    gate !== null &&
    secureAggregation.mode === "on" &&
    gate.minimumDevices < secureAggregation.minimumCohort
  ) {
    return {
      path: "/gate/minimumDevices",
      problem: `must be at least secureAggregation.minimumCohort (${secureAggregation.minimumCohort}), got ${gate.minimumDevices}`,
    };
  }
  return undefined;
}
