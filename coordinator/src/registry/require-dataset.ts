import { failure, TributaryError, type Digest } from "@tributary/core";
import type { GraphPort, TaskSpec } from "@tributary/protocol";
import { elementCount } from "@tributary/tensor";
import { readDataset, type Dataset } from "../evaluation-dataset.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/records.ts";

/**
 * Holds a task's data set for evaluation to the model: images of the input's size, labels among the output's classes, or numbers, as the loss needs.
 * Asked when the task is created, not after its first round.
 *
 * @throws `coordinator/invalid-task`, saying what does not fit
 */
export async function requireDataset(blobs: BlobStore, spec: TaskSpec, model: ModelRecord): Promise<void> {
  const { dataset } = spec.evaluation;
  if (dataset === null) return;
  if ((await blobs.stat(dataset)) === undefined)
    throw invalid(spec, "there is no such blob; POST it to /v1/blobs first");
  const problem = problemOf(await read(blobs, spec, dataset), spec, model);
  if (problem !== undefined) throw invalid(spec, problem);
}

async function read(blobs: BlobStore, spec: TaskSpec, digest: Digest): Promise<Dataset> {
  const bytes = await blobs.bytes(digest);
  try {
    return readDataset(bytes);
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    const dataset = error.code === "dataset/invalid" || error.code === "dataset/mismatch";
    throw invalid(spec, dataset ? error.message : `it is no safetensors file (${error.code})`, error);
  }
}

function problemOf(
  { exampleSize, labels, labelSize }: Dataset,
  { loss, moreLosses }: TaskSpec,
  { input, output }: { readonly input: GraphPort; readonly output: GraphPort },
): string | undefined {
  // The first dimension of the input is the batch; others that are free fit anything.
  const wanted = input.shape.slice(1);
  if (!wanted.includes(-1) && exampleSize !== elementCount(wanted))
    return `its images have ${exampleSize} values, the model takes ${elementCount(wanted)} (${wanted.join("x")})`;
  // What several losses and graphs read, the training graph says when it is built.
  if (loss.kind === "graph" || moreLosses.length > 0) return undefined;
  if (loss.kind !== "softmax-cross-entropy") {
    const numbers = output.shape.slice(1);
    if (labels instanceof Int32Array) {
      return `its labels are int32 classes, the loss ${loss.kind} takes float32 numbers [N, ...]`;
    }
    if (numbers.includes(-1) || labelSize === elementCount(numbers)) return undefined;
    return `it has ${labelSize} numbers for each example, the model gives ${elementCount(numbers)}`;
  }
  if (!(labels instanceof Int32Array)) return `its labels are float32, the loss ${loss.kind} takes int32 [N]`;
  const classes = output.shape.at(-1) ?? -1;
  const outside = labels.find((label) => label < 0 || (classes > 0 && label >= classes));
  return outside === undefined ? undefined : `label ${outside} is none of the model's ${classes} classes`;
}

function invalid(spec: TaskSpec, problem: string, cause?: unknown): Error {
  return failure(
    "coordinator/invalid-task",
    `registry: task "${spec.name}": data set ${spec.evaluation.dataset}: ${problem}`,
    { detail: { path: "/evaluation/dataset", problem }, ...(cause === undefined ? {} : { cause }) },
  );
}
