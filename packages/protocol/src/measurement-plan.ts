import type { Digest } from "@tributary/core";
import { concatBytes, decodeHex, encodeUtf8, sha256 } from "@tributary/core";
import Type, { type Static } from "typebox";
import { EvaluationGraphDocument } from "./documents.ts";
import { ParameterSchemaDocument } from "./graph-ports.ts";
import { LIMITS } from "./limits.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";
import {
  ModelNameSchema,
  PopulationNameSchema,
  readonlyArray,
  TargetPathSchema,
  TaskNameSchema,
  textEnum,
} from "./schema.ts";
import { SecurePlan } from "./secure-aggregation.ts";
import { EligibilityRules } from "./task-eligibility.ts";
import { SeparationRules } from "./task-selection.ts";

const metricName = Type.String({ pattern: "^[A-Za-z][A-Za-z0-9./-]{0,63}$" });
const largest = Type.Number({ exclusiveMinimum: 0, maximum: 1e15 });

/** Steps between the bounds of a fixed-point metric: each is a whole number that floating point tells from the next. */
export const MAX_FIXED_CODES = 2 ** 52;

/** One metric of a vector: what its coordinates mean, and what one device may tell. */
export const MetricDocument = Type.Union([
  Type.Object({
    name: metricName,
    kind: Type.Literal("counter"),
    values: textEnum(["integer", "real"]),
    minimum: Type.Number({ minimum: -1e15, maximum: 0 }),
    maximum: largest,
  }),
  /** Fixed-point: a multiple of `step`, told in limbs, so that what is small beside the bounds adds up as sharply. */
  Type.Object({
    name: metricName,
    kind: Type.Literal("counter"),
    values: Type.Literal("fixed"),
    minimum: Type.Number({ minimum: -1e30, maximum: 0 }),
    maximum: Type.Number({ exclusiveMinimum: 0, maximum: 1e30 }),
    step: Type.Number({ exclusiveMinimum: 0, maximum: 1e15 }),
  }),
  Type.Object({
    name: metricName,
    kind: Type.Literal("histogram"),
    /** Ascending. Bin i holds edges[i-1] <= value < edges[i]; one more on each side. */
    edges: readonlyArray(Type.Number(), { minItems: 1, maxItems: 4097 }),
    spacing: textEnum(["linear", "log"]),
    /** Of one bin. */
    maximum: largest,
  }),
]);
export type MetricDocument = Static<typeof MetricDocument>;

const PLAN_FIELDS = {
  formatVersion: Type.Literal(1),
  task: TaskNameSchema,
  model: ModelNameSchema,
  population: PopulationNameSchema,
  /** Coordinates of the vector, in order: all that leaves a device. */
  metrics: readonlyArray(MetricDocument, { minItems: 1, maxItems: 250 }),
  /** How often a device measures at most. Absent: as often as it is asked. */
  selection: Type.Optional(SeparationRules),
  /** Which devices may measure. Absent: all. */
  eligibility: Type.Optional(EligibilityRules),
  /** Absent: vectors are reported one by one. */
  secureAggregation: Type.Optional(SecurePlan),
};

/** What devices measure for a task, and what they tell of it: `models/<model>/measurements/<task>/<n>.json`. */
export const MeasurementPlan = Type.Union([
  Type.Object({
    ...PLAN_FIELDS,
    kind: Type.Literal("evaluate"),
    /** What its graph is written in. Absent: ONNX. */
    format: Type.Optional(Type.Literal("tfjs")),
    /** One example a run: what is paired is the loss of each. */
    evaluation: Type.Object({ target: TargetPathSchema, spec: EvaluationGraphDocument }),
    parameters: ParameterSchemaDocument,
    maxExamples: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
    maxExampleLoss: largest,
    maxLossDifference: largest,
    /** Of a gate: only devices held out by this share measure. */
    heldOutShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5 })),
  }),
  Type.Object({ ...PLAN_FIELDS, kind: Type.Literal("telemetry") }),
]);
export type MeasurementPlan = Static<typeof MeasurementPlan>;
export type EvaluationPlan = Extract<MeasurementPlan, { readonly kind: "evaluate" }>;

/**
 * A plan of measurements.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parseMeasurementPlan(bytes: Uint8Array): MeasurementPlan {
  const json = parseJson("measurement plan", bytes, LIMITS.maxPlanBytes);
  const plan = parseDocument("measurement plan", MeasurementPlan, json);
  const names = new Set<string>();
  for (const [i, metric] of plan.metrics.entries()) {
    if (names.has(metric.name)) {
      throw invalidDocument("measurement plan", `/metrics/${i}/name`, `"${metric.name}" is there twice`);
    }
    names.add(metric.name);
    if (
      metric.kind === "histogram" &&
      metric.edges.some((edge, at) => at > 0 && edge <= metric.edges[at - 1]!)
    ) {
      throw invalidDocument("measurement plan", `/metrics/${i}/edges`, "must ascend");
    }
    if (metric.kind === "counter" && metric.values === "fixed") requireFixed(metric, i);
  }
  return plan;
}

function requireFixed(
  { minimum, maximum, step }: { readonly minimum: number; readonly maximum: number; readonly step: number },
  i: number,
): void {
  const codes = (maximum - minimum) / step;
  if (codes >= 1 && codes <= MAX_FIXED_CODES) return;
  const problem = `1 to ${MAX_FIXED_CODES} steps from minimum to maximum expected, got ${codes}`;
  throw invalidDocument("measurement plan", `/metrics/${i}/step`, problem);
}

/** Names the layout of a vector in the header of a report: SHA-256 of its metrics as JSON. */
export function metricsDigest(metrics: readonly MetricDocument[]): Digest {
  return sha256(encodeUtf8(JSON.stringify(metrics)));
}

/**
 * What a mask of a measurement binds as base weights: the version's, and where there is a candidate SHA-256 of both digests, so
 * that a sum only comes out when all members measured the same two.
 */
export function measuredWeights(current: Digest, candidate: Digest | undefined): Digest {
  return candidate === undefined ? current : sha256(concatBytes(decodeHex(current), decodeHex(candidate)));
}
