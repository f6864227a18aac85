import { failure } from "@tributary/core";
import type { EstimateRequest, TaskSpec } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { CheckedTask } from "../registry/check-task.ts";
import type { EstimateJob } from "./estimate-messages.ts";

/**
 * What is simulated of a task that was checked.
 *
 * @throws `coordinator/estimate-unsupported` for what no simulation plays
 */
export async function estimateJob(
  blobs: Pick<BlobStore, "bytes">,
  { spec, complete }: Pick<CheckedTask, "spec" | "complete">,
  { fleet, goal, budgetSeconds }: Omit<EstimateRequest, "task">,
): Promise<EstimateJob> {
  const model = requireSimulated(spec, complete);
  const { evaluation, strategy } = spec;
  return {
    spec,
    model,
    dataset: evaluation.dataset === null ? null : await blobs.bytes(evaluation.dataset),
    trusted: strategy.trustedDataset === undefined ? null : await blobs.bytes(strategy.trustedDataset),
    request: { fleet, goal, budgetSeconds },
  };
}

function requireSimulated(spec: TaskSpec, complete: CheckedTask["complete"]): Uint8Array {
  const problem =
    spec.kind !== "train"
      ? `a task of kind "${spec.kind}" trains nothing`
      : spec.loss.kind === "graph"
        ? "its loss is a graph of its own"
        : complete instanceof Uint8Array
          ? undefined
          : "its model is TensorFlow.js's";
  if (problem === undefined) return complete as Uint8Array;
  throw failure(
    "coordinator/estimate-unsupported",
    `estimate: task "${spec.name}" is not simulated: ${problem}`,
    {
      detail: { problem },
    },
  );
}
