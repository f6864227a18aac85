import { TributaryError } from "@tributary/core";
import { bindWeights, buildEvaluationGraph, buildTrainingGraph } from "@tributary/onnx";
import type { TaskSpec } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { BlobRef, ModelRecord, VersionRecord } from "../ports/records.ts";
import { planTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";

export interface StoredPlan {
  readonly plan: BlobRef & { readonly number: number; readonly target: string };
  readonly targets: TargetChanges;
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
  const training = trainingGraph(complete, spec.local);
  const evaluation = buildEvaluationGraph(complete, {
    batchSize: spec.evaluation.batchSize,
    loss: "softmax-cross-entropy",
  });
  const { epochs, batchSize, learningRate, maxExamples, learningRateSchedule } = spec.local;
  const document = planTargets(
    number,
    {
      task: spec.name,
      model: model.name,
      population: spec.population,
      training: { spec: training.spec },
      evaluation: { spec: evaluation.spec },
      parameters: model.parameters,
      local: { epochs, batchSize, learningRate, maxExamples, learningRateSchedule },
      maxUpdateNorm: spec.maxUpdateNorm,
    },
    { train: await blobs.put(training.model), evaluate: await blobs.put(evaluation.model) },
  );
  const plan = await blobs.put(document.bytes);
  return { plan: { ...plan, number, target: document.path }, targets: document.changes };
}

/**
 * One training graph for all devices: in the formulations that WebGPU computes correctly too, where the model's
 * operators have them; else the CPU's, and the devices' own check keeps them off the GPU.
 */
function trainingGraph(model: Uint8Array, local: TaskSpec["local"]) {
  const { batchSize, optimizer, momentum, proximalTerm } = local;
  const options = {
    batchSize,
    loss: "softmax-cross-entropy",
    optimizer: optimizer === "momentum" ? { kind: optimizer, momentum } : { kind: optimizer },
    proximalTerm: proximalTerm ?? undefined,
  } as const;
  try {
    return buildTrainingGraph(model, { ...options, target: "webgpu" });
  } catch (error) {
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    return buildTrainingGraph(model, { ...options, target: "cpu" });
  }
}
