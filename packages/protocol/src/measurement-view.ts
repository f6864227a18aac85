import Type, { type Static } from "typebox";
import { GATE_METRICS, ROUND_PURPOSES } from "./measuring.ts";
import { pageOf, pageQuery } from "./page.ts";
import {
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  RoundIdSchema,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

const Count = Type.Integer({ minimum: 0 });

/** What a gate found of a version on held-out devices. */
export const VerdictView = Type.Object({
  result: textEnum(["passed", "failed", "undecided"], {
    description:
      "undecided: too few held-out devices; the version is not released by the gate, and nothing is counted",
  }),
  metric: textEnum(GATE_METRICS),
  /** The version it was compared with: the last that passed. */
  reference: ModelVersionSchema,
  devices: Count,
  examples: Count,
  /** How much better the candidate is: accuracy gained, or loss lost. */
  improvement: nullable(Type.Number()),
  lower: nullable(
    Type.Number({ description: "The improvement is at least this, with the gate's confidence" }),
  ),
  upper: nullable(
    Type.Number({ description: "The improvement is at most this, with the gate's confidence" }),
  ),
  requiredImprovement: Type.Number(),
  confidence: Type.Number(),
  /** Two-sided p of McNemar's test on the discordant examples, devices as clusters; null where the loss knows no hits. */
  mcNemarP: nullable(Type.Number({ minimum: 0, maximum: 1 })),
  roundId: RoundIdSchema,
  at: TimestampSchema,
});
export type VerdictView = Static<typeof VerdictView>;

/** Where a task's gate stands. */
export const GateView = Type.Object({
  /** The last version that passed, or the one that the task began with. */
  reference: ModelVersionSchema,
  /** Waits for its verdict. */
  candidate: nullable(ModelVersionSchema),
  /** In a row, since a version passed. */
  failures: Count,
  patience: Count,
  last: nullable(VerdictView),
});
export type GateView = Static<typeof GateView>;

const Histogram = Type.Object({
  edges: readonlyArray(Type.Number()),
  counts: readonlyArray(Type.Number()),
});

/** Two versions on the same examples; candidate less current. Intervals and tests count devices as clusters of examples. */
export const ComparisonView = Type.Object({
  loss: nullable(
    Type.Object({
      difference: Type.Number(),
      lower: Type.Number(),
      upper: Type.Number(),
      p: Type.Number({ description: "Two-sided, of the paired t-test with devices as clusters" }),
      designEffect: nullable(
        Type.Number({
          description:
            "How many times the variance is what it would be if the examples of a device were independent of each other",
        }),
      ),
    }),
  ),
  accuracy: nullable(
    Type.Object({
      difference: Type.Number(),
      lower: Type.Number(),
      upper: Type.Number(),
      lost: Count,
      gained: Count,
      p: Type.Number({ description: "Two-sided, of McNemar's test with devices as clusters" }),
    }),
  ),
  /** Of each bound. */
  confidence: Type.Number(),
});
export type ComparisonView = Static<typeof ComparisonView>;

const limited = (description: string) => Type.Number({ minimum: 0, description });

/** How far a histogram lies from its reference, and how far it would lie by chance alone. */
export const DriftView = Type.Object({
  metric: Type.String(),
  reference: Type.Object({
    source: textEnum(["dataset", "measurement"], {
      description: "The task's own data set, or the first round that measured",
    }),
    /** Of a measurement. */
    roundId: nullable(RoundIdSchema),
    version: nullable(ModelVersionSchema),
    count: Count,
  }),
  count: Count,
  psi: limited("Population stability index, in nats"),
  psiExpected: limited("Of samples of these sizes without drift, values independent of each other"),
  psiLimit: limited("Without drift the index is below this in 95 of 100 cases"),
  ks: nullable(limited("Kolmogorov-Smirnov distance at the bins' edges; null where bins are classes")),
  ksExpected: nullable(limited("Of samples of these sizes without drift")),
  ksLimit: nullable(limited("Without drift the distance is below this in at least 95 of 100 cases")),
  beyondNoise: Type.Boolean({ description: "Whether the index is above its limit" }),
});
export type DriftView = Static<typeof DriftView>;

/** What the devices of one round measured: sums over the cohort, nothing of a single device. */
export const MeasurementView = Type.Object({
  task: TaskNameSchema,
  model: ModelNameSchema,
  roundId: RoundIdSchema,
  purpose: textEnum(ROUND_PURPOSES),
  version: ModelVersionSchema,
  candidate: nullable(ModelVersionSchema),
  /** Whose vectors are in the sums. */
  devices: Count,
  at: TimestampSchema,
  counters: Type.Record(Type.String(), Type.Number()),
  histograms: Type.Record(Type.String(), Histogram),
  comparison: nullable(ComparisonView),
  drift: readonlyArray(DriftView, {
    description:
      "telemetry: of predictions, labels, confidence and features, the one that drifted most first",
  }),
});
export type MeasurementView = Static<typeof MeasurementView>;

/** `GET /v1/tasks/:task/measurements`, newest first */
export const MeasurementList = pageOf({ measurements: readonlyArray(MeasurementView) });
export type MeasurementList = Static<typeof MeasurementList>;

/** Query of `GET /v1/tasks/:task/measurements` */
export const MeasurementListQuery = Type.Object(pageQuery(500, 100));
