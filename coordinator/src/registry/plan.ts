import { failure, TributaryError } from "@tributary/core";
import { bindWeights, buildEvaluationGraph, buildTrainingGraph } from "@tributary/onnx";
import type { Plan, TaskSpec } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { BlobRef, ModelRecord, TargetRecord, VersionRecord } from "../ports/records.ts";
import { target } from "./version-artifacts.ts";

/** Paths of a plan's targets. */
const planTargets = {
  plan: (task: string, number: number) => `plans/${task}/${number}.json`,
  training: (task: string, number: number) => `plans/${task}/${number}/train.onnx`,
  evaluation: (task: string, number: number) => `plans/${task}/${number}/evaluate.onnx`,
};

export interface StoredPlan {
  readonly plan: BlobRef & { readonly number: number; readonly target: string };
  readonly targets: readonly TargetRecord[];
}

/**
 * Builds what devices train and evaluate for a task, and stores it: the plan and its two graphs.
 *
 * @throws `onnx/*` when the model cannot be trained as the task says
 */
export async function storePlan(
  blobs: BlobStore,
  options: {
    readonly spec: TaskSpec;
    readonly number: number;
    readonly model: ModelRecord;
    readonly version: VersionRecord;
  },
): Promise<StoredPlan> {
  const { spec, number, model, version } = options;
  const weights = parametersFromSafetensors(model.parameters, await blobs.bytes(version.weights.digest));
  const complete = bindWeights(await blobs.bytes(model.graph.digest), weights);
  const training = trainingGraph(complete, spec.local.batchSize);
  const evaluation = buildEvaluationGraph(complete, {
    batchSize: spec.evaluation.batchSize,
    loss: "softmax-cross-entropy",
  });
  const paths = {
    plan: planTargets.plan(spec.name, number),
    training: planTargets.training(spec.name, number),
    evaluation: planTargets.evaluation(spec.name, number),
  };
  const trainingBlob = await blobs.put(training.model);
  const evaluationBlob = await blobs.put(evaluation.model);
  const document: Plan = {
    formatVersion: 1,
    task: spec.name,
    model: model.name,
    population: spec.population,
    training: { target: paths.training, spec: training.spec },
    evaluation: { target: paths.evaluation, spec: evaluation.spec },
    parameters: model.parameters,
    local: spec.local,
    maxUpdateNorm: spec.maxUpdateNorm,
  };
  const plan = await blobs.put(new TextEncoder().encode(JSON.stringify(document)));
  return {
    plan: { ...plan, number, target: paths.plan },
    targets: [
      target(paths.training, trainingBlob, null),
      target(paths.evaluation, evaluationBlob, null),
      target(paths.plan, plan, { task: spec.name, number }),
    ],
  };
}

/**
 * One training graph for all devices: in the formulations that WebGPU computes correctly too, where the model's
 * operators have them; else the CPU's, and the devices' own check keeps them off the GPU.
 */
function trainingGraph(model: Uint8Array, batchSize: number) {
  const options = { batchSize, loss: "softmax-cross-entropy", optimizer: "sgd" } as const;
  try {
    return buildTrainingGraph(model, { ...options, target: "webgpu" });
  } catch (error) {
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    return buildTrainingGraph(model, { ...options, target: "cpu" });
  }
}

/** @throws `coordinator/invalid-task` when the data set of a task's evaluation is not there */
export async function requireDataset(blobs: BlobStore, spec: TaskSpec): Promise<void> {
  const { dataset } = spec.evaluation;
  if (dataset !== null && (await blobs.stat(dataset)) === undefined)
    throw failure(
      "coordinator/invalid-task",
      `registry: task "${spec.name}": no blob ${dataset}; POST it to /v1/blobs first`,
      {
        detail: { path: "/evaluation/dataset", problem: "there is no such blob" },
      },
    );
}
