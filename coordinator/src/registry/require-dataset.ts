import { failure, TributaryError, type Digest } from "@tributary/core";
import { inputColumns, readExampleTable, type ExampleTable } from "@tributary/engine/examples";
import { tableProblem } from "@tributary/engine/table-problem";
import type { TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/model-records.ts";

/** A data set that a task names, and where. */
interface NamedDataset {
  readonly digest: Digest;
  /** JSON pointer into the task. */
  readonly path: string;
}

/**
 * Holds a task's data sets, for evaluation, as a reference and the trusted one, to the model: a row of each input's size, and for each
 * output that is learned classes among its own, or numbers, as the loss needs. Asked when the task is created, not after its
 * first round.
 *
 * @throws `coordinator/invalid-task`, saying what does not fit
 */
export async function requireDatasets(
  blobs: BlobStore,
  spec: TaskSpec,
  model: ModelRecord,
  tfjsInstalled: () => boolean,
): Promise<void> {
  const { evaluation, strategy, reference } = spec;
  requireEngine(spec, model, tfjsInstalled);
  if (evaluation.dataset !== null) {
    await requireDataset(blobs, spec, model, { digest: evaluation.dataset, path: "/evaluation/dataset" });
  }
  if (reference !== null) {
    await requireDataset(blobs, spec, model, { digest: reference, path: "/reference" });
  }
  if (strategy.trustedDataset !== undefined) {
    const named = { digest: strategy.trustedDataset, path: "/strategy/trustedDataset" };
    await requireDataset(blobs, spec, model, named);
  }
}

/** The coordinator's own engine is that of ONNX; the other is there where its operator installed it. */
function requireEngine(spec: TaskSpec, { format }: ModelRecord, tfjsInstalled: () => boolean): void {
  const { evaluation, strategy } = spec;
  const path =
    evaluation.dataset !== null
      ? "/evaluation/dataset"
      : strategy.trustedDataset !== undefined
        ? "/strategy/trustedDataset"
        : undefined;
  if (format !== "tfjs" || path === undefined || tfjsInstalled()) return;
  const problem =
    'this coordinator has no TensorFlow.js to run the model with; install @tensorflow/tfjs (and @tensorflow/tfjs-backend-wasm) beside it, or let devices measure: a /gate, or a task of kind "evaluate"';
  throw failure("coordinator/invalid-task", `registry: task "${spec.name}": ${path}: ${problem}`, {
    detail: { path, problem },
  });
}

async function requireDataset(
  blobs: BlobStore,
  spec: TaskSpec,
  model: ModelRecord,
  dataset: NamedDataset,
): Promise<void> {
  if ((await blobs.stat(dataset.digest)) === undefined)
    throw invalidDataset(spec, dataset, "there is no such blob; POST it to /v1/blobs first");
  const table = await read(blobs, spec, model, dataset);
  const problem = tableProblem(table, spec, model);
  if (problem !== undefined) throw invalidDataset(spec, dataset, problem);
}

async function read(
  blobs: BlobStore,
  spec: TaskSpec,
  { inputs }: ModelRecord,
  dataset: NamedDataset,
): Promise<ExampleTable> {
  const bytes = await blobs.bytes(dataset.digest);
  try {
    const table = readExampleTable(bytes);
    inputColumns(
      table,
      inputs.map(({ name }) => name),
    );
    return table;
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    const known = error.code === "dataset/invalid" || error.code === "dataset/mismatch";
    throw invalidDataset(
      spec,
      dataset,
      known ? error.message : `it is no safetensors file (${error.code})`,
      error,
    );
  }
}

/** The error of a task whose data set does not fit. */
export function invalidDataset(
  spec: TaskSpec,
  { digest, path }: NamedDataset,
  problem: string,
  cause?: unknown,
): Error {
  return failure(
    "coordinator/invalid-task",
    `registry: task "${spec.name}": data set ${digest}: ${problem}`,
    { detail: { path, problem }, ...(cause === undefined ? {} : { cause }) },
  );
}
