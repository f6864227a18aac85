import { isModelName, isTaskName, type ModelVersion } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { measurementView } from "../registry/measurement-view.ts";
import { roundView, taskView, versionView, type TaskProgress } from "../registry/views.ts";
import type { RunSource } from "./run-source.ts";

/** Of tasks in this coordinator's store. */
export function storedRuns(
  store: Pick<MetadataStore, "tasks" | "rounds" | "measurements" | "versions">,
  progressOf: (task: TaskRecord) => Promise<TaskProgress>,
): RunSource {
  return {
    tasks: async () => (await store.tasks.list()).map(({ name }) => name),
    async task(name) {
      const record = isTaskName(name) ? await store.tasks.get(name) : undefined;
      return record && taskView(record, await progressOf(record));
    },
    rounds: async (task, page) =>
      isTaskName(task) ? (await store.rounds.list(task, page)).map(roundView) : [],
    async measurements(task, page) {
      if (!isTaskName(task)) return [];
      // Drift is shown against what it is measured by; trackers are given the counts alone.
      const records = await store.measurements.list(task, page);
      return records.map((record) => measurementView(record, { dataset: undefined, first: undefined }));
    },
    async version(model, version) {
      const record = isModelName(model)
        ? await store.versions.get(model, version as ModelVersion)
        : undefined;
      return record && versionView(record);
    },
  };
}
