import { encodeHex, failure } from "@tributary/core";
import { metricEncoding } from "@tributary/federation";
import { evaluationMetrics, pairedMetrics, telemetrySpecs, type MetricSpec } from "@tributary/metrics";
import { buildEvaluationGraph } from "@tributary/onnx";
import { TELEMETRY_GROUPS, type MetricDocument, type SecurePlan, type TaskSpec } from "@tributary/protocol";
import { cohortShape, planEncoding } from "@tributary/secagg";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, PlanRef } from "../ports/records.ts";
import { measurementTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";
import { measurementCohort } from "./measurement-cohort.ts";
import { invalidTask, lossOf } from "./training-options.ts";

/** Of one bin or counter of telemetry; a device tells no more of one round. */
const MAX_TELEMETRY_COUNT = 65_535;

export interface StoredMeasurementPlan {
  readonly plan: PlanRef;
  readonly targets: TargetChanges;
}

/**
 * Builds what devices measure for a task, or for the gate of one that trains, and stores it: the plan and its graph.
 *
 * @throws `onnx/*`, `secagg/*`, `coordinator/invalid-task`
 */
export async function storeMeasurementPlan(
  blobs: BlobStore,
  options: {
    readonly spec: TaskSpec;
    readonly number: number;
    readonly model: ModelRecord;
    /** The model as it was exported, with the weights of some version. */
    readonly complete: Uint8Array;
    readonly issuerPublicKey: Uint8Array;
  },
): Promise<StoredMeasurementPlan> {
  const { spec, number, model, complete } = options;
  const metrics = spec.kind === "telemetry" ? telemetryMetrics(spec, model) : exampleMetrics(spec);
  const secureAggregation = metricSecurePlan(spec, metrics, options.issuerPublicKey);
  const common = {
    task: spec.name,
    model: model.name,
    population: spec.population,
    metrics,
    ...(secureAggregation === undefined ? {} : { secureAggregation }),
  };
  if (spec.kind === "telemetry") {
    return stored(blobs, number, measurementTargets(number, { ...common, kind: "telemetry" }, undefined));
  }
  const published = model.parameters.map(({ name }) => name);
  // Batches of one: their loss is that of one example, whatever the loss is made of.
  const graph = buildEvaluationGraph(complete, {
    batchSize: 1,
    loss: await lossOf(blobs, spec),
    trainable: published,
    metrics: [],
  });
  if (spec.gate?.metric === "accuracy" && graph.spec.noHits === true) {
    throw invalidTask(spec, "/gate/metric", `the loss ${spec.loss.kind} knows no hits; measure "loss"`);
  }
  const { maxLossDifference } = spec.evaluation;
  const document = measurementTargets(
    number,
    {
      ...common,
      kind: "evaluate",
      evaluation: { spec: graph.spec },
      parameters: model.parameters,
      maxExamples: spec.local.maxExamples,
      maxExampleLoss: spec.secureAggregation.maxExampleLoss,
      maxLossDifference,
      ...(spec.gate === null ? {} : { heldOutShare: spec.gate.heldOutShare }),
    },
    await blobs.put(graph.model),
  );
  return stored(blobs, number, document);
}

async function stored(
  blobs: BlobStore,
  number: number,
  document: ReturnType<typeof measurementTargets>,
): Promise<StoredMeasurementPlan> {
  const plan = await blobs.put(document.bytes);
  return { plan: { ...plan, number, target: document.path }, targets: document.changes };
}

/** With a candidate, or for a gate, both versions on the same examples; else the released one. */
function exampleMetrics(spec: TaskSpec): readonly MetricDocument[] {
  const { maxExamples } = spec.local;
  const { maxExampleLoss } = spec.secureAggregation;
  const { maxLossDifference } = spec.evaluation;
  const real = (largest: number, signed = false) =>
    ({
      values: "real",
      minimum: signed ? -maxExamples * largest : 0,
      maximum: maxExamples * largest,
    }) as const;
  const whole = { values: "integer", minimum: 0, maximum: maxExamples } as const;
  const bounds: {
    readonly [Name in keyof typeof pairedMetrics.specs]: typeof whole | ReturnType<typeof real>;
  } = {
    examples: whole,
    currentLoss: real(maxExampleLoss),
    currentCorrect: whole,
    candidateLoss: real(maxExampleLoss),
    candidateCorrect: whole,
    difference: real(maxLossDifference, true),
    differenceSquares: real(maxLossDifference ** 2),
    lost: whole,
    gained: whole,
  };
  const paired = spec.kind === "train" || spec.candidate !== null;
  const names = Object.keys((paired ? pairedMetrics : evaluationMetrics).specs) as (keyof typeof bounds)[];
  return names.map((name): MetricDocument => ({ name, kind: "counter", ...bounds[name] }));
}

function telemetryMetrics(spec: TaskSpec, model: ModelRecord): readonly MetricDocument[] {
  const groups = spec.telemetry.length === 0 ? TELEMETRY_GROUPS : spec.telemetry;
  const output = model.outputs.find(({ dtype }) => dtype === "float32");
  const classes = output?.shape.length === 2 ? output.shape[1]! : 0;
  const specs = Object.entries(telemetrySpecs(groups, classes));
  const lacking = spec.telemetry.find((group) => specs.every(([name]) => name.split(".")[0] !== group));
  if (lacking !== undefined) {
    throw invalidTask(
      spec,
      "/telemetry",
      `"${lacking}" needs a model with classes as its first float32 output`,
    );
  }
  return specs.map(([name, metric]) => telemetryDocument(name, metric));
}

function telemetryDocument(name: string, metric: MetricSpec): MetricDocument {
  const maximum = MAX_TELEMETRY_COUNT;
  if (metric.kind === "counter") return { name, kind: "counter", values: "integer", minimum: 0, maximum };
  return { name, kind: "histogram", edges: metric.bins.edges, spacing: metric.bins.spacing, maximum };
}

/** Undefined where the task opts out. */
function metricSecurePlan(
  spec: TaskSpec,
  metrics: readonly MetricDocument[],
  issuerPublicKey: Uint8Array,
): SecurePlan | undefined {
  const { mode, minimumCohort, corruption, dropout } = spec.secureAggregation;
  if (mode === "off") return undefined;
  const { offerLimit: clients } = measurementCohort(spec);
  const most = 10_000;
  if (clients > most) {
    throw failure(
      "coordinator/invalid-task",
      `registry: a secure cohort has at most ${most} members, not ${clients}`,
      {
        detail: { clients, maximum: most },
      },
    );
  }
  const encoding = metricEncoding(metrics, clients);
  planEncoding(encoding);
  for (const size of [minimumCohort, clients]) {
    cohortShape(size, { corruption, dropout, adversary: "curious" });
  }
  return {
    minimumCohort,
    corruption,
    dropout,
    issuerPublicKey: encodeHex(issuerPublicKey),
    encoding: encoding as SecurePlan["encoding"],
  };
}
