import { failure, TributaryError, type Digest } from "@tributary/core";
import { inputColumns, readExampleTable, type ExampleTable } from "@tributary/engine/examples";
import { tableProblem } from "@tributary/engine/table-problem";
import type { TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord } from "../ports/records.ts";

/**
 * Holds a task's data set for evaluation to the model: a row of each input's size, and for each output that is learned classes
 * among its own, or numbers, as the loss needs. Asked when the task is created, not after its first round.
 *
 * @throws `coordinator/invalid-task`, saying what does not fit
 */
export async function requireDataset(blobs: BlobStore, spec: TaskSpec, model: ModelRecord): Promise<void> {
  const { dataset } = spec.evaluation;
  if (dataset === null) return;
  if ((await blobs.stat(dataset)) === undefined)
    throw invalid(spec, "there is no such blob; POST it to /v1/blobs first");
  const table = await read(blobs, spec, dataset, model);
  const problem = tableProblem(table, spec, model);
  if (problem !== undefined) throw invalid(spec, problem);
}

async function read(
  blobs: BlobStore,
  spec: TaskSpec,
  digest: Digest,
  { inputs }: ModelRecord,
): Promise<ExampleTable> {
  const bytes = await blobs.bytes(digest);
  try {
    const table = readExampleTable(bytes);
    inputColumns(
      table,
      inputs.map(({ name }) => name),
    );
    return table;
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    const dataset = error.code === "dataset/invalid" || error.code === "dataset/mismatch";
    throw invalid(spec, dataset ? error.message : `it is no safetensors file (${error.code})`, error);
  }
}

function invalid(spec: TaskSpec, problem: string, cause?: unknown): Error {
  return failure(
    "coordinator/invalid-task",
    `registry: task "${spec.name}": data set ${spec.evaluation.dataset}: ${problem}`,
    { detail: { path: "/evaluation/dataset", problem }, ...(cause === undefined ? {} : { cause }) },
  );
}
