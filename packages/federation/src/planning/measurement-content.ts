import { failure } from "@tributary/core";
import { telemetrySpecs, type MetricSpec } from "@tributary/metrics";
import { buildEvaluationGraph } from "@tributary/onnx";
import {
  TELEMETRY_GROUPS,
  type EvaluationGraphDocument,
  type EvaluationPlan,
  type GraphPort,
  type MeasurementPlan,
  type MetricDocument,
  type SecurePlan,
  type TaskSpec,
} from "@tributary/protocol";
import { metricEncoding } from "../metric-vector.ts";
import { deviceRules } from "./device-rules.ts";
import { exampleMetrics } from "./example-metrics.ts";
import { measurementCohort } from "./measurement-cohort.ts";
import type { PlannedGraph } from "./planned-graph.ts";
import { provenPlan } from "./secure-plan.ts";
import { tfjsEvaluationGraph, type TfjsSource } from "./tfjs/tfjs-graphs.ts";
import { invalidTask, lossOf, type ReadLossGraph } from "./training-options.ts";

/** A plan of measurements without where its graph lies. */
export type MeasurementContent =
  | (Omit<EvaluationPlan, "formatVersion" | "evaluation"> & {
      readonly evaluation: Pick<EvaluationPlan["evaluation"], "spec">;
    })
  | Omit<Extract<MeasurementPlan, { readonly kind: "telemetry" }>, "formatVersion">;

/** Of one bin or counter of telemetry; a device tells no more of one round. */
const MAX_TELEMETRY_COUNT = 65_535;

/**
 * Turns a task into what its devices measure: of one that trains, for its gate.
 *
 * @returns `graph` where versions are run on examples
 * @throws `onnx/*`, `secagg/*`, `coordinator/invalid-task`
 */
export async function measurementContent(options: {
  readonly spec: TaskSpec;
  readonly model: Pick<EvaluationPlan, "model" | "parameters"> & { readonly outputs: readonly GraphPort[] };
  /** The model as it was exported, with the weights of some version. */
  readonly complete: Uint8Array | TfjsSource;
  readonly issuerPublicKey: Uint8Array;
  readonly readLossGraph: ReadLossGraph;
}): Promise<{
  readonly content: MeasurementContent;
  readonly graph: PlannedGraph<EvaluationGraphDocument> | undefined;
}> {
  const { spec, model, complete } = options;
  const format = complete instanceof Uint8Array ? "onnx" : "tfjs";
  const metrics = spec.kind === "telemetry" ? telemetryMetrics(spec, model.outputs) : exampleMetrics(spec);
  const secureAggregation = metricSecurePlan(spec, metrics, options.issuerPublicKey);
  const common = {
    task: spec.name,
    model: model.model,
    population: spec.population,
    metrics,
    ...(secureAggregation === undefined ? {} : { secureAggregation }),
    ...deviceRules(spec, spec.kind === "telemetry" ? undefined : format),
  };
  if (spec.kind === "telemetry") return { content: { ...common, kind: "telemetry" }, graph: undefined };
  // Batches of one: their loss is that of one example, whatever the loss is made of.
  const graph: PlannedGraph<EvaluationGraphDocument> =
    complete instanceof Uint8Array
      ? buildEvaluationGraph(complete, {
          batchSize: 1,
          loss: await lossOf(options.readLossGraph, spec),
          trainable: model.parameters.map(({ name }) => name),
          metrics: [],
        })
      : tfjsEvaluationGraph(spec, complete, model.parameters, { batchSize: 1, metrics: [] });
  if (spec.gate?.metric === "accuracy" && graph.spec.noHits === true) {
    throw invalidTask(spec, "/gate/metric", `the loss ${spec.loss.kind} knows no hits; measure "loss"`);
  }
  const content: MeasurementContent = {
    ...common,
    kind: "evaluate",
    ...(format === "onnx" ? {} : { format }),
    evaluation: { spec: graph.spec },
    parameters: model.parameters,
    maxExamples: spec.local.maxExamples,
    maxExampleLoss: spec.secureAggregation.maxExampleLoss,
    maxLossDifference: spec.evaluation.maxLossDifference,
    ...(spec.gate === null ? {} : { heldOutShare: spec.gate.heldOutShare }),
  };
  return { content, graph };
}

function telemetryMetrics(spec: TaskSpec, outputs: readonly GraphPort[]): readonly MetricDocument[] {
  const groups = spec.telemetry.length === 0 ? TELEMETRY_GROUPS : spec.telemetry;
  const output = outputs.find(({ dtype }) => dtype === "float32");
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
  return provenPlan({ minimumCohort, corruption, dropout }, encoding, issuerPublicKey);
}
