import { TributaryError } from "@tributary/core";
import {
  buildEvaluationGraph,
  buildMicroBatches,
  buildTrainingGraph,
  type EvaluationGraph,
  type MetricOptions,
  type MicroBatchGraphs,
  type OptimizerOptions,
  type TrainingGraph,
  type TrainingGraphOptions,
  type WholeReason,
} from "@tributary/onnx";
import {
  updateSchema,
  usesControlVariates,
  type EvaluationGraphDocument,
  type Plan,
  type TaskSpec,
  type TrainingGraphDocument,
  type UpdateLayout,
} from "@tributary/protocol";
import { parameterCount } from "@tributary/tensor";
import { deviceRules } from "./device-rules.ts";
import type { PlannedGraph } from "./planned-graph.ts";
import { securePlan } from "./secure-plan.ts";
import { tfjsEvaluationGraph, tfjsTrainingGraph, type TfjsSource } from "./tfjs/tfjs-graphs.ts";
import { tfjsPart } from "./tfjs/tfjs-part.ts";
import { lossOf, type ReadLossGraph } from "./training-options.ts";
import { trainedPart, updateLayout, type TrainedPart } from "./update-layout.ts";

/** A plan without where its graphs lie: whoever stores them knows that. */
export type PlanContent = Omit<Plan, "formatVersion" | "training" | "evaluation"> & {
  readonly training: Pick<Plan["training"], "spec" | "whole"> & {
    readonly webgpu?: Pick<NonNullable<Plan["training"]["webgpu"]>, "spec">;
    readonly micro?: Pick<NonNullable<Plan["training"]["micro"]>, "spec"> & {
      readonly step: Pick<NonNullable<Plan["training"]["micro"]>["step"], "spec">;
    };
  };
  readonly evaluation: Pick<Plan["evaluation"], "spec">;
};

/** What devices train and evaluate: ONNX files, or those of TensorFlow.js steps. */
export interface PlanGraphs {
  readonly training: PlannedGraph<TrainingGraphDocument>;
  /** Undefined where an operator has no form for it, and of TensorFlow.js, where all engines run the same step. */
  readonly webgpu: PlannedGraph<TrainingGraphDocument> | undefined;
  /** By which batches are cut, or why they are not; undefined of TensorFlow.js. */
  readonly micro: MicroBatchGraphs | WholeReason | undefined;
  readonly evaluation: PlannedGraph<EvaluationGraphDocument>;
}

/** What is planned of a model, before the rest of the plan. */
interface PlannedTraining {
  readonly graphs: PlanGraphs;
  readonly update: UpdateLayout;
  readonly more: Pick<Plan, "format" | "adapters">;
}

/**
 * Turns a task into what its devices train.
 *
 * @throws `onnx/*` when the model cannot be trained as the task says, `secagg/*` when its updates cannot be summed so,
 *   `coordinator/invalid-task`
 */
export async function planContent(options: {
  readonly spec: TaskSpec;
  /** Of the task's plans, from 1. */
  readonly number: number;
  readonly model: Pick<Plan, "model" | "parameters">;
  /** The model as it was exported, with the weights of some version: the graphs do not depend on them. */
  readonly complete: Uint8Array | TfjsSource;
  readonly issuerPublicKey: Uint8Array;
  readonly readLossGraph: ReadLossGraph;
}): Promise<{ readonly content: PlanContent; readonly graphs: PlanGraphs }> {
  const { spec, number, model, complete, issuerPublicKey } = options;
  const { graphs, update, more } =
    complete instanceof Uint8Array
      ? await plannedOnnx({ ...options, complete })
      : plannedTfjs(spec, complete, model.parameters);
  const { training, webgpu, micro, evaluation } = graphs;
  const secureAggregation = securePlan({
    spec,
    number,
    weightCount: parameterCount(updateSchema(update, "weight")),
    statisticCount: parameterCount(updateSchema(update, "statistic")),
    issuerPublicKey,
  });
  const { epochs, batchSize, learningRate, maxExamples, learningRateSchedule } = spec.local;
  const content: PlanContent = {
    ...more,
    task: spec.name,
    model: model.model,
    population: spec.population,
    training: {
      spec: training.spec,
      ...(webgpu === undefined ? {} : { webgpu: { spec: webgpu.spec } }),
      ...(typeof micro === "string" ? { whole: micro } : {}),
      ...(typeof micro === "object" ? { micro: { spec: micro.spec, step: { spec: micro.step.spec } } } : {}),
    },
    evaluation: { spec: evaluation.spec },
    parameters: model.parameters,
    local: { epochs, batchSize, learningRate, maxExamples, learningRateSchedule },
    update,
    maxUpdateNorm: spec.maxUpdateNorm,
    ...(usesControlVariates(spec) ? { controlVariates: true } : {}),
    ...(secureAggregation === undefined ? {} : { secureAggregation }),
    ...deviceRules(spec, more.format ?? "onnx"),
    ...(spec.gate === null ? {} : { heldOutShare: spec.gate.heldOutShare }),
  };
  return { content, graphs };
}

async function plannedOnnx(options: {
  readonly spec: TaskSpec;
  readonly number: number;
  readonly model: Pick<Plan, "parameters">;
  readonly complete: Uint8Array;
  readonly readLossGraph: ReadLossGraph;
}): Promise<PlannedTraining> {
  const { spec, number, model, complete, readLossGraph } = options;
  const published = model.parameters.map(({ name }) => name);
  const part = trainedPart(spec, number, complete, published);
  const graphs = await planGraphs(readLossGraph, spec, { published, complete, part });
  const { adapters } = part;
  return {
    graphs,
    update: updateLayout(spec, graphs.training.spec, part),
    more: adapters === undefined ? {} : { adapters },
  };
}

function plannedTfjs(spec: TaskSpec, source: TfjsSource, parameters: Plan["parameters"]): PlannedTraining {
  const part = tfjsPart(spec, source, parameters);
  return {
    graphs: {
      training: tfjsTrainingGraph(spec, source, parameters, part),
      webgpu: undefined,
      micro: undefined,
      evaluation: tfjsEvaluationGraph(spec, source, parameters, {
        batchSize: spec.evaluation.batchSize,
        metrics: spec.metrics,
      }),
    },
    update: { tensors: part.tensors, maxStatisticChange: spec.maxStatisticChange },
    more: { format: "tfjs" },
  };
}

async function planGraphs(
  readLossGraph: ReadLossGraph,
  spec: TaskSpec,
  model: {
    readonly published: readonly string[];
    readonly complete: Uint8Array;
    readonly part: TrainedPart;
  },
): Promise<{
  readonly training: TrainingGraph;
  readonly webgpu: TrainingGraph | undefined;
  readonly micro: MicroBatchGraphs | WholeReason;
  readonly evaluation: EvaluationGraph;
}> {
  const { published, complete, part } = model;
  const loss = await lossOf(readLossGraph, spec);
  const { batchSize, optimizer, clipGradientNorm, proximalTerm, loopSteps } = spec.local;
  const options = {
    batchSize,
    loss,
    optimizer: optimizer as OptimizerOptions,
    trainable: part.names,
    // Another version may bring other values of what this task does not train.
    frozenInputs: published,
    clipGradientNorm: clipGradientNorm ?? undefined,
    proximalTerm: proximalTerm ?? undefined,
    gradientOffsets: usesControlVariates(spec),
  };
  const cpu = { ...options, target: "cpu", loopSteps } as const;
  const training = buildTrainingGraph(part.model, cpu);
  return {
    training,
    micro: buildMicroBatches(part.model, cpu, training),
    // Devices whose storage lasts have no WebGPU.
    webgpu: options.gradientOffsets ? undefined : webgpuGraph(part.model, options),
    evaluation: buildEvaluationGraph(complete, {
      batchSize: spec.evaluation.batchSize,
      loss,
      trainable: published,
      metrics: spec.metrics.map(({ kind, k }): MetricOptions =>
        kind === "topK" ? { kind, k: k! } : { kind },
      ),
    }),
  };
}

/** Without a loop, which would carry the weights through the CPU at each step; undefined where an operator has no form for it. */
function webgpuGraph(
  model: Uint8Array,
  options: Omit<TrainingGraphOptions, "target">,
): TrainingGraph | undefined {
  try {
    return buildTrainingGraph(model, { ...options, target: "webgpu" });
  } catch (error) {
    // What is wrong with the model or the task, the graph for CPUs has been refused for.
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    return undefined;
  }
}
