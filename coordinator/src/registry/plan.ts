import { TributaryError } from "@tributary/core";
import {
  bindWeights,
  buildEvaluationGraph,
  buildTrainingGraph,
  type EvaluationGraph,
  type MetricOptions,
  type OptimizerOptions,
  type TrainingGraph,
  type TrainingGraphOptions,
} from "@tributary/onnx";
import { updateSchema, type TaskSpec } from "@tributary/protocol";
import { parameterCount, parametersFromSafetensors } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, PlanRef, VersionRecord } from "../ports/records.ts";
import { planTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";
import { securePlan } from "./secure-plan.ts";
import { lossOf } from "./training-options.ts";
import { trainedPart, updateLayout, type TrainedPart } from "./update-layout.ts";

export interface StoredPlan {
  readonly plan: PlanRef;
  readonly targets: TargetChanges;
}

/**
 * Builds what devices train and evaluate for a task, and stores it: the plan and its graphs.
 *
 * @throws `onnx/*` when the model cannot be trained as the task says, `secagg/*` when its updates cannot be summed so
 */
export async function storePlan(
  blobs: BlobStore,
  options: {
    readonly spec: TaskSpec;
    readonly number: number;
    readonly model: ModelRecord;
    /** The model as it was exported, with the weights of some version: the graphs do not depend on them. */
    readonly complete: Uint8Array;
    readonly issuerPublicKey: Uint8Array;
  },
): Promise<StoredPlan> {
  const { spec, number, model, complete, issuerPublicKey } = options;
  const published = model.parameters.map(({ name }) => name);
  const part = trainedPart(spec, number, complete, published);
  const graphs = await planGraphs(blobs, spec, { published, complete, part });
  const { training, webgpu, evaluation } = graphs;
  const update = updateLayout(spec, training.spec, part);
  const secureAggregation = securePlan({
    spec,
    number,
    weightCount: parameterCount(updateSchema(update, "weight")),
    statisticCount: parameterCount(updateSchema(update, "statistic")),
    issuerPublicKey,
  });
  const { epochs, batchSize, learningRate, maxExamples, learningRateSchedule } = spec.local;
  const document = planTargets(
    number,
    {
      task: spec.name,
      model: model.name,
      population: spec.population,
      training: {
        spec: training.spec,
        ...(webgpu === undefined ? {} : { webgpu: { spec: webgpu.spec } }),
      },
      evaluation: { spec: evaluation.spec },
      parameters: model.parameters,
      local: { epochs, batchSize, learningRate, maxExamples, learningRateSchedule },
      update,
      ...(part.adapters === undefined ? {} : { adapters: part.adapters }),
      maxUpdateNorm: spec.maxUpdateNorm,
      ...(secureAggregation === undefined ? {} : { secureAggregation }),
      ...(spec.gate === null ? {} : { heldOutShare: spec.gate.heldOutShare }),
    },
    {
      train: await blobs.put(training.model),
      ...(webgpu === undefined ? {} : { trainWebgpu: await blobs.put(webgpu.model) }),
      evaluate: await blobs.put(evaluation.model),
    },
  );
  const plan = await blobs.put(document.bytes);
  return { plan: { ...plan, number, target: document.path }, targets: document.changes };
}

/** A version of a model as a whole ONNX file, in training mode where it was exported so. */
export async function completeModel(
  blobs: BlobStore,
  model: ModelRecord,
  version: VersionRecord,
): Promise<Uint8Array> {
  const weights = parametersFromSafetensors(model.parameters, await blobs.bytes(version.weights.digest));
  const { digest } = model.trainingGraph ?? model.graph;
  return bindWeights(await blobs.bytes(digest), weights);
}

async function planGraphs(
  blobs: BlobStore,
  spec: TaskSpec,
  model: {
    readonly published: readonly string[];
    readonly complete: Uint8Array;
    readonly part: TrainedPart;
  },
): Promise<{
  readonly training: TrainingGraph;
  readonly webgpu: TrainingGraph | undefined;
  readonly evaluation: EvaluationGraph;
}> {
  const { published, complete, part } = model;
  const loss = await lossOf(blobs, spec);
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
  };
  return {
    training: buildTrainingGraph(part.model, { ...options, target: "cpu", loopSteps }),
    webgpu: webgpuGraph(part.model, options),
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
