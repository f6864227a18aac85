import { failure, TributaryError } from "@tributary/core";
import { exampleRuns } from "@tributary/engine/batches";
import { exampleOf, inputColumns, readExampleTable } from "@tributary/engine/examples";
import { parsePlan, type TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, PlanRef } from "../ports/records.ts";
import { invalidDataset } from "./require-dataset.ts";

/**
 * Plans are made of ONNX graphs.
 *
 * @throws `coordinator/invalid-task`
 */
export function requireOnnx(spec: TaskSpec, { name, format }: Pick<ModelRecord, "name" | "format">): void {
  if (format === "onnx") return;
  const problem = `"${name}" is a TensorFlow.js model, which devices run and do not train; convert it to ONNX and publish that`;
  throw failure("coordinator/invalid-task", `registry: task "${spec.name}": ${problem}`, {
    detail: { path: "/model", problem },
  });
}

/**
 * Lays every trusted example out for the training graph, which knows what no model says: what a loss graph of the operator's
 * reads.
 *
 * @throws `coordinator/invalid-task`, saying what does not fit
 */
export async function requireTrainable(blobs: BlobStore, spec: TaskSpec, plan: PlanRef): Promise<void> {
  const { trustedDataset: digest } = spec.strategy;
  if (digest === undefined) return;
  const { training, evaluation } = parsePlan(await blobs.bytes(plan.digest));
  const table = readExampleTable(await blobs.bytes(digest));
  try {
    const columns = inputColumns(
      table,
      (evaluation.spec.inputs ?? [evaluation.spec.features]).map(({ name }) => name),
    );
    const order = Array.from({ length: table.count }, (_, row) => row);
    let seen = 0;
    for (const { count } of exampleRuns(training.spec, (row) => exampleOf(table, columns, row), order))
      seen += count;
    if (seen !== table.count) throw new TypeError(`registry: ${seen} of ${table.count} examples were read`);
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    throw invalidDataset(spec, { digest, path: "/strategy/trustedDataset" }, error.message, error);
  }
}
