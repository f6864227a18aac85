import type { Digest } from "@tributary/core";
import Type, { type Static } from "typebox";
import { GraphPort, GraphPorts, ParameterSchemaDocument } from "./graph-ports.ts";
import { withoutSchemaField } from "./document-schema.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";
import { DefaultLearningRateSchedule, LearningRateSchedule, scheduleFault } from "./learning-rate.ts";
import { LIMITS } from "./limits.ts";
import { modeFault, TaskMode } from "./task-mode.ts";
import { MicroBatchParts, OptimizerStepDocument, WholeReason } from "./micro-batches.ts";
import { MEASURING_FIELDS, measuringFault } from "./measuring.ts";
import { trainingFault } from "./training-faults.ts";
import { STEP_FIELDS, TRAINING_FIELDS } from "./training-options.ts";
import { SecurePlan, SecureSpec } from "./secure-aggregation.ts";
import { EligibilityRules } from "./task-eligibility.ts";
import { RetryRules } from "./task-retries.ts";
import { StepPrecisionSpec } from "./step-precision.ts";
import { DefaultTaskSchedule, scheduleWindowFault } from "./task-schedule.ts";
import { SelectionRules, SeparationRules } from "./task-selection.ts";
import { StopRules } from "./task-stop.ts";
import {
  AdapterSpec,
  BatchNormalizationMode,
  layoutFault,
  layoutOfParameters,
  MaxStatisticChange,
  PlanAdapters,
  UpdateLayout,
} from "./update-layout.ts";
import {
  DigestSchema,
  ModelNameSchema,
  nullable,
  PopulationNameSchema,
  readonlyArray,
  ShapeSchema as Shape,
  TargetPathSchema,
  TaskNameSchema,
  TensorNameSchema as TensorName,
} from "./schema.ts";

interface Note {
  default?: number;
  description?: string;
}
const batchSize = (more: Note = {}) => Type.Integer({ minimum: 1, maximum: 4096, ...more });

/** What training and evaluation graphs have in common. */
const GRAPH_FIELDS = {
  batchSize: batchSize(),
  /** What is fed of an example, in the model's order. Left out: `features` alone. */
  inputs: Type.Optional(GraphPorts),
  features: GraphPort,
  labels: GraphPort,
  moreLabels: Type.Optional(readonlyArray(GraphPort, { maxItems: LIMITS.maxPorts })),
  /** What examples call `labels` and `moreLabels`: by the output that is learned, or by a loss graph's input. */
  labelNames: Type.Optional(readonlyArray(TensorName, { minItems: 1, maxItems: LIMITS.maxPorts + 1 })),
  sampleWeights: GraphPort,
  lossSum: TensorName,
  correct: TensorName,
  /** The losses know no hits: no accuracy follows from `correct`. */
  noHits: Type.Optional(Type.Literal(true)),
  metrics: Type.Optional(
    readonlyArray(Type.Object({ name: TensorName, output: TensorName, shape: Shape }), { maxItems: 1024 }),
  ),
};

const FedParameter = Type.Object({ name: TensorName, shape: Shape, input: TensorName });
const CarriedTensor = Type.Object({ name: TensorName, shape: Shape, input: TensorName, output: TensorName });

/** How a training graph is fed and read; built by the onnx package when a plan is published. */
export const TrainingGraphDocument = Type.Object({
  kind: Type.Literal("train"),
  ...GRAPH_FIELDS,
  learningRate: GraphPort,
  parameters: readonlyArray(CarriedTensor, { minItems: 1, maxItems: LIMITS.maxParameters }),
  /** Parameters that are fed and not trained. */
  frozen: Type.Optional(readonlyArray(FedParameter, { maxItems: LIMITS.maxParameters })),
  /** What the optimizer carries from step to step; zeros before the first. */
  state: Type.Optional(readonlyArray(CarriedTensor, { maxItems: 2 * LIMITS.maxParameters + 2 })),
  /** Masks to draw anew for every run: each element 0 with probability `ratio`, else 1. */
  dropouts: Type.Optional(
    readonlyArray(
      Type.Object({
        input: TensorName,
        shape: Shape,
        ratio: Type.Number({ minimum: 0, exclusiveMaximum: 1 }),
      }),
      { maxItems: 1024 },
    ),
  ),
  /** With a proximal term: inputs for the base weights, in the order of `parameters`. */
  baseParameters: Type.Optional(readonlyArray(GraphPort, { maxItems: LIMITS.maxParameters })),
  /** With control variates: inputs for what is added to the gradients, one for each weight. */
  gradientOffsets: Type.Optional(readonlyArray(FedParameter, { maxItems: LIMITS.maxParameters })),
  /** A run does up to `maxSteps` steps: inputs, labels and weights begin with that axis. */
  loop: Type.Optional(
    Type.Object({ maxSteps: Type.Integer({ minimum: 1, maximum: 4096 }), steps: GraphPort }),
  ),
});
export type TrainingGraphDocument = Static<typeof TrainingGraphDocument>;

/** How an evaluation graph is fed and read. */
export const EvaluationGraphDocument = Type.Object({
  kind: Type.Literal("evaluate"),
  ...GRAPH_FIELDS,
  parameters: readonlyArray(FedParameter, { minItems: 1, maxItems: LIMITS.maxParameters }),
});
export type EvaluationGraphDocument = Static<typeof EvaluationGraphDocument>;

const learningRate = (more: Note = {}) => Type.Number({ exclusiveMinimum: 0, maximum: 100, ...more });
const epochs = (more: Note = {}) => Type.Integer({ minimum: 1, maximum: 1000, ...more });
const maxExamples = (more: Note = {}) => Type.Integer({ minimum: 1, maximum: 10_000_000, ...more });
const maxUpdateNorm = (more: Note = {}) => Type.Number({ exclusiveMinimum: 0, maximum: 1e12, ...more });

const PLAN_FIELDS = {
  /** What its graphs are written in. Absent: ONNX. */
  format: Type.Optional(Type.Literal("tfjs")),
  task: TaskNameSchema,
  model: ModelNameSchema,
  population: PopulationNameSchema,
  training: Type.Object({
    target: TargetPathSchema,
    spec: TrainingGraphDocument,
    /** The same step in the formulations that WebGPU computes correctly; left out where an operator has none. */
    webgpu: Type.Optional(Type.Object({ target: TargetPathSchema, spec: TrainingGraphDocument })),
    /**
     * The same step on CPUs in parts: `spec` is of a part of one example, the others differ in the first axis of what is fed of examples. Left
     * out: batches are not cut, for the reason in `whole`.
     */
    micro: Type.Optional(
      Type.Object({
        spec: TrainingGraphDocument,
        parts: MicroBatchParts,
        step: Type.Object({ target: TargetPathSchema, spec: OptimizerStepDocument }),
      }),
    ),
    whole: Type.Optional(WholeReason),
  }),
  evaluation: Type.Object({ target: TargetPathSchema, spec: EvaluationGraphDocument }),
  parameters: ParameterSchemaDocument,
  local: Type.Object({
    epochs: epochs(),
    batchSize: batchSize(),
    learningRate: learningRate(),
    maxExamples: maxExamples(),
    /** Left out: the same in every round. */
    learningRateSchedule: Type.Optional(LearningRateSchedule),
  }),
  maxUpdateNorm: maxUpdateNorm(),
  /** Absent: updates are reported one by one. */
  secureAggregation: Type.Optional(SecurePlan),
  /** Absent: devices may be asked at any time. */
  selection: Type.Optional(SeparationRules),
  /** Absent: all devices may take part. */
  eligibility: Type.Optional(EligibilityRules),
};

/** What devices train for a task, and what their updates hold: `models/<model>/plans/<task>/<n>.json`. */
export const Plan = Type.Object({
  formatVersion: Type.Literal(2),
  ...PLAN_FIELDS,
  update: UpdateLayout,
  /** Absent: the weights themselves are trained. */
  adapters: Type.Optional(PlanAdapters),
  /** SCAFFOLD: devices keep how far their gradients lie from everybody's. Absent: they keep nothing. */
  controlVariates: Type.Optional(Type.Literal(true)),
  /** Devices held out by this share do not train: they measure for the task's gate. Absent: there is none. */
  heldOutShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5 })),
});
export type Plan = Static<typeof Plan>;

/** A plan of an earlier release: updates hold every parameter. */
const EarlierPlan = Type.Object({ formatVersion: Type.Literal(1), ...PLAN_FIELDS });

const strict = { additionalProperties: false };
const durationMs = { minimum: 100, maximum: 7 * 24 * 3_600_000 };

/** What to learn and how: the operator's document, the same in the CLI, the API and the dashboard. */
export const TaskSpec = Type.Object(
  {
    formatVersion: Type.Literal(1, { default: 1, description: "Of this document's form" }),
    name: TaskNameSchema,
    model: ModelNameSchema,
    population: Type.Unsafe<Static<typeof PopulationNameSchema>>({
      ...PopulationNameSchema,
      default: "default",
      description: "Devices of this population are asked",
    }),
    rounds: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }), {
      default: null,
      description: "Committed rounds after which the task is done; null: no end",
    }),
    stop: StopRules,
    ...MEASURING_FIELDS,
    ...TRAINING_FIELDS,
    batchNormalization: BatchNormalizationMode,
    adapters: AdapterSpec,
    local: Type.Object(
      {
        epochs: epochs({ default: 1, description: "Passes over the device's examples" }),
        batchSize: batchSize({ default: 10, description: "Examples a gradient step" }),
        learningRate: learningRate({ default: 0.05 }),
        maxExamples: maxExamples({ default: 600, description: "Most examples used a round" }),
        learningRateSchedule: DefaultLearningRateSchedule,
        ...STEP_FIELDS,
        proximalTerm: nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1000 }), {
          default: null,
          description: "FedProx's mu: holds devices close to the weights they began with",
        }),
      },
      { ...strict, default: {} },
    ),
    cohort: Type.Object(
      {
        goalCount: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          // A secure sum of 24 members survives the loss of seven and is still of 17, one above the devices' floor.
          default: 24,
          description: "Ready devices that form the cohort",
        }),
        minimumCount: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          default: 2,
          description: "Fewest updates a sum may hold",
        }),
        overSelection: Type.Number({
          minimum: 1,
          maximum: 10,
          default: 1.3,
          description: "Open offers per wanted device",
        }),
        trainDeadlineMs: Type.Integer({ ...durationMs, default: 60_000 }),
        reportDeadlineMs: Type.Integer({ ...durationMs, default: 20_000 }),
      },
      { ...strict, default: {} },
    ),
    mode: TaskMode,
    strategy: Type.Object(
      {
        name: Type.String({
          minLength: 1,
          maxLength: 64,
          default: "fedAvg",
          description: "How updates become a step: fedAvg, fedAdam, trimmedMean, ...",
        }),
        parameters: Type.Unsafe<Readonly<Record<string, number>>>(
          Type.Record(Type.String({ maxLength: 64 }), Type.Number(), {
            default: {},
            description: "Of the strategy; what is left out gets its default",
          }),
        ),
        trustedDataset: Type.Optional(
          Type.Unsafe<Digest>({
            ...DigestSchema,
            description:
              "flTrust: examples that the coordinator trains on itself, a safetensors blob as for evaluation",
          }),
        ),
      },
      { ...strict, default: {} },
    ),
    stepPrecision: StepPrecisionSpec,
    selection: SelectionRules,
    eligibility: EligibilityRules,
    schedule: DefaultTaskSchedule,
    retries: RetryRules,
    pauseBetweenRoundsMs: Type.Integer({ minimum: 0, maximum: 24 * 3_600_000, default: 0 }),
    evaluation: Type.Object(
      {
        dataset: nullable(DigestSchema, { default: null }),
        batchSize: batchSize({ default: 200 }),
        maxLossDifference: Type.Number({
          exclusiveMinimum: 0,
          maximum: 1e6,
          default: 10,
          description: "On devices: what one example can say at most of the difference of two versions",
        }),
      },
      { ...strict, default: {} },
    ),
    maxUpdateNorm: maxUpdateNorm({ default: 100, description: "L2 norm the weights of an update may have" }),
    maxStatisticChange: MaxStatisticChange,
    secureAggregation: SecureSpec,
  },
  strict,
);
export type TaskSpec = Static<typeof TaskSpec>;

/**
 * A plan; one of an earlier release with what it left unsaid.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parsePlan(bytes: Uint8Array): Plan {
  const json = parseJson("plan", bytes, LIMITS.maxPlanBytes);
  if ((json as { readonly formatVersion?: unknown } | null)?.formatVersion === 1) {
    const earlier = parseDocument("plan", EarlierPlan, json);
    return { ...earlier, formatVersion: 2, update: layoutOfParameters(earlier.parameters) };
  }
  const plan = parseDocument("plan", Plan, json);
  const fault = layoutFault(plan.update);
  if (fault !== undefined) throw invalidDocument("plan", fault.path, fault.problem);
  return plan;
}

/**
 * A task document as an operator wrote it, with the defaults filled in.
 *
 * @param value bytes of JSON, or the value already read
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parseTaskSpec(value: unknown): TaskSpec {
  const json = value instanceof Uint8Array ? parseJson("task", value, LIMITS.maxTaskSpecBytes) : value;
  const spec = parseDocument("task", TaskSpec, withoutSchemaField(json), { defaults: true });
  if (spec.cohort.minimumCount > spec.cohort.goalCount) {
    throw invalidDocument(
      "task",
      "/cohort/minimumCount",
      `must be at most goalCount (${spec.cohort.goalCount}), got ${spec.cohort.minimumCount}`,
    );
  }
  const wrong =
    measuringFault(spec) ?? trainingFault(spec) ?? modeFault(spec) ?? scheduleWindowFault(spec.schedule);
  if (wrong !== undefined) throw invalidDocument("task", wrong.path, wrong.problem);
  const fault = scheduleFault(spec.local.learningRateSchedule);
  if (fault !== undefined) {
    throw invalidDocument("task", `/local/learningRateSchedule/${fault.field}`, fault.problem);
  }
  const { mode, minimumCohort } = spec.secureAggregation;
  if (mode === "on" && minimumCohort > spec.cohort.goalCount) {
    throw invalidDocument(
      "task",
      "/secureAggregation/minimumCohort",
      `must be at most goalCount (${spec.cohort.goalCount}), got ${minimumCohort}; wait for more devices, lower it to 3 or more for a trial that is not private, or opt out with "mode": "off"`,
    );
  }
  return spec;
}
