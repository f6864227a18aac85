import type { BufferedCohort } from "@tributary/federation";
import type { VersionRecord } from "../../ports/model-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import type { RoundServices } from "../round-services.ts";
import { discardCohorts } from "./commit-buffer.ts";

/**
 * What a task left in its buffer, when it begins again. Sums on a version that was replaced since, by one that the task did
 * not make, are changes to other weights: they are discarded.
 */
export async function readBuffer(
  services: RoundServices,
  task: TaskRecord,
  head: VersionRecord,
): Promise<readonly BufferedCohort[]> {
  const { store } = services;
  const pending = await store.bufferedCohorts.pending(task.name);
  const oldest = Math.min(...pending.map(({ baseVersion }) => baseVersion));
  const replacedBy = await replacedSince(services, task, head, oldest);
  const replaced = pending.filter(({ baseVersion }) => baseVersion < replacedBy);
  if (replaced.length > 0) {
    await discardCohorts(
      services,
      task,
      replaced.map(({ roundId }) => roundId),
      "round/base-replaced",
    );
  }
  return pending
    .filter((cohort) => !replaced.includes(cohort))
    .map(({ roundId, baseVersion, updates }) => ({ roundId, baseVersion, updates }));
}

/** The newest version above the oldest one here that the task did not make; 0: it made all of them. */
export async function replacedSince(
  { store }: Pick<RoundServices, "store">,
  task: TaskRecord,
  head: VersionRecord,
  oldest: number,
): Promise<number> {
  for (let version: VersionRecord | undefined = head; version !== undefined && version.version > oldest;) {
    const round = version.roundId === null ? undefined : await store.rounds.get(version.roundId);
    if (round?.task !== task.name) return version.version;
    version =
      version.parentVersion === null
        ? undefined
        : await store.versions.get(task.model, version.parentVersion);
  }
  return 0;
}
