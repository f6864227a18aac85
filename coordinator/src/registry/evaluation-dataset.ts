import { failure, TributaryError } from "@tributary/core";
import type { GraphPort, TaskSpec } from "@tributary/protocol";
import { readSafetensors, type SafetensorsFile, type Tensor } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/records.ts";

/**
 * Holds a task's data set for evaluation to the model: safetensors with `images` (float32, or uint8 in 0..255) of the
 * input's size and `labels` (int32) among the output's classes. Asked when the task is created, not after its first round.
 *
 * @throws `coordinator/invalid-task`, saying what does not fit
 */
export async function requireDataset(blobs: BlobStore, spec: TaskSpec, model: ModelRecord): Promise<void> {
  const { dataset } = spec.evaluation;
  if (dataset === null) return;
  if ((await blobs.stat(dataset)) === undefined)
    throw invalid(spec, "there is no such blob; POST it to /v1/blobs first");
  let tensors: SafetensorsFile["tensors"];
  try {
    ({ tensors } = readSafetensors(await blobs.bytes(dataset)));
  } catch (error) {
    if (TributaryError.is(error)) throw invalid(spec, `it is no safetensors file (${error.code})`, error);
    throw error;
  }
  const problem = problemOf(tensors.get("images"), tensors.get("labels"), model);
  if (problem !== undefined) throw invalid(spec, problem);
}

function problemOf(
  images: Tensor | undefined,
  labels: Tensor | undefined,
  { input, output }: { readonly input: GraphPort; readonly output: GraphPort },
): string | undefined {
  if (images === undefined || labels === undefined) return 'it needs the tensors "images" and "labels"';
  if (images.dtype !== "float32" && images.dtype !== "uint8")
    return `images are ${images.dtype}, expected float32 or uint8`;
  if (labels.dtype !== "int32" || labels.shape.length !== 1) return "labels are not int32 of one dimension";
  const [count = 0, ...example] = images.shape;
  if (count === 0 || labels.shape[0] !== count) return `it has ${count} images and ${labels.shape[0]} labels`;
  const size = example.reduce((product, dimension) => product * dimension, 1);
  // The first dimension of the input is the batch; others that are free fit anything.
  const wanted = input.shape.slice(1);
  const wantedSize = wanted.reduce((product, dimension) => product * dimension, 1);
  if (!wanted.includes(-1) && size !== wantedSize)
    return `its images have ${size} values, the model takes ${wantedSize} (${wanted.join("x")})`;
  const classes = output.shape.at(-1) ?? -1;
  const values = labels.data as Int32Array;
  const outside = values.find((label) => label < 0 || (classes > 0 && label >= classes));
  return outside === undefined ? undefined : `label ${outside} is none of the model's ${classes} classes`;
}

function invalid(spec: TaskSpec, problem: string, cause?: unknown): Error {
  return failure(
    "coordinator/invalid-task",
    `registry: task "${spec.name}": data set ${spec.evaluation.dataset}: ${problem}`,
    { detail: { path: "/evaluation/dataset", problem }, ...(cause === undefined ? {} : { cause }) },
  );
}
