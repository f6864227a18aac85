import { readTfjsArtifact, stepArtifact } from "@tributary/engine/tfjs-artifact";
import { planContent, type ReadLossGraph, type TfjsSource } from "@tributary/federation/planning";
import { bindWeights, type MicroBatchGraphs } from "@tributary/onnx";
import type { TaskSpec } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { PlanRef } from "../ports/task-records.ts";
import { planTargets, type MicroBlobs } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";

/** The loss graphs of operators are small. */
const MAX_LOSS_GRAPH_BYTES = 16 * 1024 * 1024;

export interface PlanOptions {
  readonly spec: TaskSpec;
  readonly number: number;
  readonly model: ModelRecord;
  /** The model as it was exported, with the weights of some version: the graphs do not depend on them. */
  readonly complete: Uint8Array | TfjsSource;
  readonly issuerPublicKey: Uint8Array;
}

export interface StoredPlan {
  readonly plan: PlanRef;
  readonly targets: TargetChanges;
}

/**
 * Builds what devices train and evaluate for a task, and stores it: the plan and its graphs.
 *
 * @throws `onnx/*` when the model cannot be trained as the task says, `secagg/*` when its updates cannot be summed so
 */
export async function storePlan(blobs: BlobStore, options: PlanOptions): Promise<StoredPlan> {
  const { spec, number, model, complete, issuerPublicKey } = options;
  const { content, graphs } = await planContent({
    spec,
    number,
    model: { model: model.name, parameters: model.parameters },
    complete,
    issuerPublicKey,
    readLossGraph: lossGraphReader(blobs),
  });
  const { training, webgpu, micro, evaluation } = graphs;
  const document = planTargets(number, content, {
    train: await blobs.put(training.model),
    ...(webgpu === undefined ? {} : { trainWebgpu: await blobs.put(webgpu.model) }),
    ...(typeof micro === "object" ? { micro: await putMicro(blobs, micro) } : {}),
    evaluate: await blobs.put(evaluation.model),
  });
  const plan = await blobs.put(document.bytes);
  return { plan: { ...plan, number, target: document.path }, targets: document.changes };
}

async function putMicro(blobs: BlobStore, { parts, step }: MicroBatchGraphs): Promise<MicroBlobs> {
  const stored = [];
  for (const { batchSize, model } of parts) stored.push({ batchSize, blob: await blobs.put(model) });
  return { parts: stored, step: await blobs.put(step.model) };
}

export function lossGraphReader(blobs: BlobStore): ReadLossGraph {
  return async (digest) =>
    (await blobs.stat(digest)) === undefined
      ? undefined
      : blobs.bytes(digest, { maxBytes: MAX_LOSS_GRAPH_BYTES });
}

/** What plans are made from: a version as a whole ONNX file, or a TensorFlow.js model, whose weights no plan needs. */
export async function planSource(
  blobs: BlobStore,
  model: ModelRecord,
  version: VersionRecord,
): Promise<Uint8Array | TfjsSource> {
  if (model.format === "onnx") return await completeModel(blobs, model, version);
  const graph = await blobs.bytes(model.graph.digest);
  return {
    document: readTfjsArtifact(graph).model,
    encode: (document, step) => stepArtifact(graph, document, step),
  };
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
