import type { VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundServices } from "./round-services.ts";

/**
 * Which step of its task begins at a version, from 1: learning-rate schedules count these, and so neither rounds that were
 * abandoned or only measured, nor the cohorts of a buffer one by one.
 */
export async function trainingRoundOf(
  { store }: Pick<RoundServices, "store">,
  task: Pick<TaskRecord, "name">,
  base: Pick<VersionRecord, "version">,
): Promise<number> {
  return (await store.rounds.countVersions(task.name, base.version)) + 1;
}
