import { TributaryError, type ModelName, type ModelVersion, type TaskName } from "@tributary/core";
import type { TaskReason } from "@tributary/protocol";
import { coordinatorFor } from "../audit/actors.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import { resetHead } from "../registry/reset-head.ts";
import { taskEvent } from "../registry/views.ts";
import { weightsPath } from "../releases/target-paths.ts";
import { withdrawnAncestor } from "./barred-versions.ts";
import type { RolloutsContext } from "./rollouts.ts";
import { descendsFrom } from "./taken-back.ts";

/** Pauses what trains on from a version that is withdrawn: the tasks whose newest version grew out of it. */
export async function pauseTraining(
  tx: MetadataRepositories,
  name: ModelName,
  withdrawn: ModelVersion,
  at: number,
): Promise<{ readonly tasks: readonly TaskName[]; readonly events: readonly NewEvent[] }> {
  const model = await tx.models.get(name);
  if (model === undefined || !(await descendsFrom(tx, name, model.currentVersion, withdrawn)))
    return { tasks: [], events: [] };
  const message = `version ${withdrawn} was withdrawn, and ${model.currentVersion} is what training goes on from`;
  const reason: TaskReason = { code: "withdrawn", message };
  const tasks: TaskName[] = [];
  const events: NewEvent[] = [];
  for (const task of await tx.tasks.list()) {
    if (task.model !== name || task.spec.kind !== "train" || task.state !== "running") continue;
    await tx.tasks.setState(task.name, "paused", { reason, activeSince: at });
    const [round = null] = await tx.rounds.list(task.name, { limit: 1 });
    const roundsCommitted = await tx.rounds.countCommitted(task.name);
    const progress = { currentVersion: model.currentVersion, round, roundsCommitted };
    events.push(taskEvent({ ...task, state: "paused", reason, activeSince: at }, progress));
    tasks.push(task.name);
  }
  return { tasks, events };
}

/**
 * Lets training go on from before what was withdrawn, with what the server optimizer remembered then, as soon as no round is under way.
 * Tasks stay paused: whoever resumes one has seen why.
 */
export async function resetTraining(services: Omit<RolloutsContext, "steadyNow">): Promise<void> {
  const { store, env } = services;
  for (const { name, currentVersion } of await store.models.list()) {
    const withdrawn = await withdrawnAncestor(store, name, currentVersion);
    if (withdrawn === undefined) continue;
    const good = await lastGood(store, name, currentVersion);
    const tasks = (await store.tasks.list()).filter(
      ({ model, spec }) => model === name && spec.kind === "train",
    );
    if (good === undefined || tasks.some(({ state }) => state === "running")) continue;
    try {
      for (const task of tasks)
        await resetHead(services, task.name, good, coordinatorFor({ task: task.name }));
      if (tasks.length === 0) await store.models.resetHead(name, good);
    } catch (error) {
      // Its last round is ending: the next look finds it ended.
      if (TributaryError.is(error) && error.code === "coordinator/task-running") continue;
      env.log.error("rollouts: training cannot go back to a good version", { model: name, good, error });
    }
  }
}

/** The newest version in its line that did not grow out of a withdrawn one, or what the channel points to. */
async function lastGood(
  store: MetadataStore,
  model: ModelName,
  version: ModelVersion,
): Promise<ModelVersion | undefined> {
  const isThere = async (at: ModelVersion): Promise<boolean> =>
    (await withdrawnAncestor(store, model, at)) === undefined &&
    (await store.releases.target(weightsPath(model, at))) !== undefined;
  let at: ModelVersion | null = version;
  while (at !== null && !(await isThere(at)))
    at = (await store.versions.get(model, at))?.parentVersion ?? null;
  if (at !== null) return at;
  for (const channel of await store.channels.list(model))
    if (await isThere(channel.version)) return channel.version;
  return undefined;
}
