import type { ApiClient, TaskView } from "@tributary/api-client";
import { failure, sha256 } from "@tributary/core";
import type { TaskSpec } from "@tributary/protocol";
import { buildDigitsCnn } from "@tributary/onnx";
import { digitsTask, MODEL, TASK } from "./digits-task.ts";
import { labelledImagesFile } from "@tributary/simulator";
import type { Dataset } from "./dataset.ts";
import type { Progress } from "./progress.ts";

/** Publishes the digits model where it is not there yet. */
export async function ensureModel(api: ApiClient, progress: Progress): Promise<void> {
  const models = await api.models();
  if (models.some(({ name }) => name === MODEL)) return;
  progress.step("publishing the digits model");
  await api.publishModel(MODEL, buildDigitsCnn({ seed: "digits" }));
}

export interface TaskOptions {
  readonly devices: number;
  /** Whether those are started here; else others may come. */
  readonly fleet: boolean;
  readonly rounds: number;
  readonly dataset: Dataset;
  /** Whether updates are summed under masks. @defaultValue true, where there are devices enough */
  readonly secureAggregation?: boolean;
}

/**
 * The digits task, created or given `rounds` more rounds. `until` counts committed rounds over the task's whole life;
 * `null` where none are to be waited for. `spec` is what the task says, undefined where there is none.
 *
 * @throws `cli/usage` when the task that is there could never go on with these options
 */
export async function ensureTask(
  api: ApiClient,
  options: TaskOptions,
): Promise<{ readonly until: number | null; readonly spec: TaskSpec | undefined }> {
  const existing = (await api.tasks()).find((task: TaskView) => task.name === TASK);
  const heldOut = labelledImagesFile(options.dataset.heldOut);
  if (existing === undefined) {
    if (options.rounds === 0) return { until: null, spec: undefined };
    const { digest } = await api.uploadBlob(heldOut);
    // Without a fleet a single page or agent is enough for a round.
    const devices = options.fleet ? options.devices : 1;
    const off = options.secureAggregation === false ? ({ secureAggregation: "off" } as const) : {};
    const spec = digitsTask({ devices, heldOut: digest, rounds: options.rounds, ...off });
    await api.createTask(spec);
    return { until: options.rounds, spec };
  }
  const spec = existing.spec as TaskSpec;
  if (options.rounds === 0) return { until: null, spec };
  requireSameTask(spec, options, sha256(heldOut));
  await api.setTaskState(TASK, { state: "running", moreRounds: options.rounds });
  return { until: existing.roundsCommitted + options.rounds, spec };
}

/** A round would wait for ever for devices that never come, or measure on other data than its devices train on. */
function requireSameTask(
  { cohort, evaluation, secureAggregation }: TaskSpec,
  { devices, fleet, secureAggregation: wanted }: TaskOptions,
  heldOut: string,
): void {
  const { minimumCount } = cohort;
  if (fleet && devices < minimumCount) {
    throw failure(
      "cli/usage",
      `--devices: task "${TASK}" in this data directory needs ${minimumCount} devices or more in a round, got ${devices}; give more, or another --data-dir`,
      { detail: { devices, minimumCount } },
    );
  }
  if (wanted === false && secureAggregation.mode === "on") {
    throw failure(
      "cli/usage",
      `--no-secure-aggregation: task "${TASK}" in this data directory is summed under masks, and its devices count on it; give another --data-dir`,
    );
  }
  if (evaluation.dataset === heldOut) return;
  throw failure(
    "cli/usage",
    `--dataset: task "${TASK}" in this data directory is measured on another data set; give the one it began with, or another --data-dir`,
  );
}
