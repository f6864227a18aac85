import { TributaryError } from "@tributary/core";
import { exampleRuns } from "@tributary/engine/batches";
import { exampleOf, inputColumns, readExampleTable } from "@tributary/engine/examples";
import { parsePlan, type TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { PlanRef } from "../ports/task-records.ts";
import { invalidDataset } from "./require-dataset.ts";

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
