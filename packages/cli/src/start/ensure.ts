import type { ApiClient, TaskView } from "@tributary/api-client";
import { buildDigitsCnn } from "@tributary/onnx";
import { digitsTask, MODEL, TASK } from "./digits-task.ts";
import { labelledImagesFile } from "@tributary/simulator";
import type { Dataset } from "./dataset.ts";
import type { Progress } from "./progress.ts";

/** Publishes the digits model if the registry is empty. */
export async function ensureModel(api: ApiClient, progress: Progress): Promise<void> {
  const models = await api.models();
  if (models.length > 0) return;
  progress.step("publishing the digits model");
  await api.publishModel(MODEL, buildDigitsCnn({ seed: "digits" }));
}

/** The digits task, created or given `rounds` more rounds. `until` counts committed rounds over the task's whole life. */
export async function ensureTask(
  api: ApiClient,
  options: { readonly devices: number; readonly rounds: number; readonly dataset: Dataset },
): Promise<{ readonly until: number }> {
  const existing = (await api.tasks()).find((task: TaskView) => task.name === TASK);
  if (existing === undefined) {
    if (options.rounds === 0) return { until: 0 };
    const { digest } = await api.uploadBlob(labelledImagesFile(options.dataset.heldOut));
    await api.createTask(digitsTask({ devices: options.devices, heldOut: digest, rounds: options.rounds }));
    return { until: options.rounds };
  }
  if (options.rounds === 0) return { until: existing.roundsCommitted };
  await api.setTaskState(TASK, { state: "running", moreRounds: options.rounds });
  return { until: existing.roundsCommitted + options.rounds };
}
