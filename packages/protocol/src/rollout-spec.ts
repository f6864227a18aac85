import Type, { type Static } from "typebox";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { RolloutIdSchema } from "./rollout.ts";
import {
  ChannelSchema,
  DeviceIdSchema,
  ModelVersionSchema,
  nullable,
  PopulationNameSchema,
  readonlyArray,
  TaskNameSchema,
  textEnum,
} from "./schema.ts";

const strict = { additionalProperties: false };
const DAY_MS = 24 * 3_600_000;

/** What treated devices are compared with the control by; of each, more is worse. */
export const ROLLOUT_METRICS = [
  "crashes",
  "self-checks",
  "errors",
  "latency",
  "accuracy",
  "confidence",
  "drift",
] as const;
export type RolloutMetric = (typeof ROLLOUT_METRICS)[number];

/** Where a gate's figures come from: what single devices tell, where their app lets them, or sums over cohorts of a telemetry task. */
export const ROLLOUT_EVIDENCE = ["devices", "cohorts"] as const;
export type RolloutEvidence = (typeof ROLLOUT_EVIDENCE)[number];

export const RolloutGate = Type.Object(
  {
    metric: textEnum(ROLLOUT_METRICS, {
      description:
        "crashes, self-checks: share of devices that had one; errors: share of calls; latency: share of runs at or above latencyMs; accuracy: share of answers that were wrong; confidence: what the largest probability lacks to 1; drift: how far predictions lie from the control's",
    }),
    margin: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.02,
      description: "Worse by more than this is taken back",
    }),
    toPass: textEnum(["no-harm", "not-worse"], {
      default: "no-harm",
      description:
        "When a step may pass: no-harm, as long as nothing shows that the version is worse by more than the margin; not-worse, when it is shown that it is not",
    }),
    latencyMs: Type.Optional(
      Type.Union(
        [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000].map((edge) => Type.Literal(edge)),
        { description: "latency: runs of this many milliseconds and more are slow" },
      ),
    ),
    evidence: Type.Optional(
      textEnum(ROLLOUT_EVIDENCE, {
        description: "Left out: what devices tell where the metric is among it, else sums over cohorts",
      }),
    ),
  },
  strict,
);
export type RolloutGate = Static<typeof RolloutGate>;

export const RolloutStep = Type.Object(
  {
    percent: Type.Number({
      minimum: 0,
      maximum: 100,
      description: "Of the devices with one of the tags, in hundredths of a percent",
    }),
    tags: readonlyArray(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" }), {
      maxItems: 64,
      default: [],
      description: "The app's own; none: all devices",
    }),
    devices: readonlyArray(DeviceIdSchema, {
      maxItems: 1000,
      default: [],
      description: "In it whatever the percentage",
    }),
    minimumMs: Type.Integer({ minimum: 0, maximum: 90 * DAY_MS, default: 3_600_000 }),
    minimumDevices: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 5,
      description: "Devices of each arm that were watched by then, where a gate rests on what devices tell",
    }),
    minimumCohorts: Type.Integer({
      minimum: 0,
      maximum: 100_000,
      default: 5,
      description: "Pairs of cohorts by then, where a gate rests on sums",
    }),
    deadlineMs: nullable(Type.Integer({ minimum: 1000, maximum: 365 * DAY_MS }), {
      default: 7 * DAY_MS,
      description: "When it may not pass by then the rollout is paused; null: never",
    }),
  },
  strict,
);
export type RolloutStep = Static<typeof RolloutStep>;

const DEFAULT_STEPS = [1, 10, 50, 100].map((percent) => ({ percent })) as unknown as RolloutStep[];
const DEFAULT_GATES = ["crashes", "self-checks", "errors"].map((metric) => ({
  metric,
})) as unknown as RolloutGate[];

/** How versions are rolled out: the operator's document, the same in the CLI, the API and the dashboard. */
export const RolloutSpec = Type.Object(
  {
    formatVersion: Type.Literal(1, { default: 1 }),
    rollout: Type.Optional(RolloutIdSchema),
    channel: Type.Unsafe<string>({ ...ChannelSchema, default: "stable" }),
    population: Type.Unsafe<Static<typeof PopulationNameSchema>>({
      ...PopulationNameSchema,
      default: "default",
    }),
    arms: readonlyArray(
      Type.Object(
        { name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" }), version: ModelVersionSchema },
        strict,
      ),
      { minItems: 1, maxItems: 8, description: "Versions that are tried against the channel's" },
    ),
    steps: readonlyArray(RolloutStep, { minItems: 1, maxItems: 64, default: DEFAULT_STEPS }),
    gates: readonlyArray(RolloutGate, { maxItems: 16, default: DEFAULT_GATES }),
    falseAlarmRate: Type.Number({
      minimum: 1e-6,
      maximum: 0.5,
      default: 0.05,
      description: "Probability that a rollout of what is no worse is taken back, over all gates and arms",
    }),
    observeMs: Type.Integer({
      minimum: 0,
      maximum: 30 * DAY_MS,
      default: 900_000,
      description: "How long a device is watched from its first report; then it counts, once",
    }),
    telemetryTask: nullable(TaskNameSchema, {
      default: null,
      description: "Task of kind telemetry whose cohorts are compared, where a gate rests on sums",
    }),
    runtime: Type.Optional(
      Type.String({
        pattern: "^\\d{1,5}\\.\\d{1,5}\\.\\d{1,5}$",
        description: "Least version of the runtime that the arms need",
      }),
    ),
  },
  strict,
);
export type RolloutSpec = Static<typeof RolloutSpec>;

/** Metrics of which single devices tell. */
const OF_DEVICES: readonly RolloutMetric[] = ["crashes", "self-checks", "errors", "latency"];
/** Metrics that the sums of a telemetry task hold. */
const OF_COHORTS: readonly RolloutMetric[] = ["errors", "latency", "accuracy", "confidence", "drift"];

/** What a gate rests on. */
export function evidenceOf({ metric, evidence }: Pick<RolloutGate, "metric" | "evidence">): RolloutEvidence {
  return evidence ?? (OF_DEVICES.includes(metric) ? "devices" : "cohorts");
}

/**
 * A rollout as an operator wrote it, with the defaults filled in.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`
 */
export function parseRolloutSpec(value: unknown): RolloutSpec {
  const json = value instanceof Uint8Array ? parseJson("rollout", value, LIMITS.maxTaskSpecBytes) : value;
  const spec = parseDocument("rollout", RolloutSpec, json, { defaults: true });
  const wrong = fault(spec);
  if (wrong !== undefined) throw invalidDocument("rollout", wrong.path, wrong.problem);
  return spec;
}

function fault({ arms, steps, gates, telemetryTask }: RolloutSpec) {
  for (const [i, { name, version }] of arms.entries()) {
    if (arms.findIndex((other) => other.name === name) !== i)
      return { path: `/arms/${i}/name`, problem: `is given twice: ${name}` };
    if (arms.findIndex((other) => other.version === version) !== i)
      return { path: `/arms/${i}/version`, problem: `is given twice: ${version}` };
  }
  for (const [i, { percent, tags }] of steps.entries()) {
    if (Math.abs(percent * 100 - Math.round(percent * 100)) > 1e-6)
      return { path: `/steps/${i}/percent`, problem: `must be whole hundredths, got ${percent}` };
    const key = JSON.stringify([...tags].sort());
    const earlier = steps.slice(0, i).findLast((each) => JSON.stringify([...each.tags].sort()) === key);
    if (earlier !== undefined && earlier.percent > percent)
      return {
        path: `/steps/${i}/percent`,
        problem: `must be at least ${earlier.percent}: shares only grow`,
      };
  }
  for (const [i, gate] of gates.entries()) {
    const rests = evidenceOf(gate);
    if (gate.metric === "latency" && gate.latencyMs === undefined)
      return { path: `/gates/${i}/latencyMs`, problem: "is needed by the gate on latency" };
    if (gate.metric !== "latency" && gate.latencyMs !== undefined)
      return { path: `/gates/${i}/latencyMs`, problem: `is for latency, this gate is on ${gate.metric}` };
    if (!(rests === "devices" ? OF_DEVICES : OF_COHORTS).includes(gate.metric))
      return { path: `/gates/${i}/evidence`, problem: `"${rests}" tell nothing of ${gate.metric}` };
    if (rests === "cohorts" && telemetryTask === null)
      return {
        path: "/telemetryTask",
        problem: `is needed: the gate on ${gate.metric} rests on sums of a task of kind telemetry`,
      };
    if (gates.findIndex((other) => other.metric === gate.metric && evidenceOf(other) === rests) !== i)
      return { path: `/gates/${i}`, problem: `there is another gate on ${gate.metric}` };
  }
  return undefined;
}
