import type { ModelName, ModelVersion, TaskName } from "@tributary/core";
import type { TaskReason } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/records.ts";
import { taskEvent } from "../registry/views.ts";
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

export async function resetTraining(_: RolloutsContext): Promise<void> {}
