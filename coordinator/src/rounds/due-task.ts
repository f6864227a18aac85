import type { TaskName } from "@tributary/core";
import type { TaskRecord } from "../ports/records.ts";
import { taskEvent } from "../registry/views.ts";
import { publishEvents } from "./commit-round.ts";
import type { RoundServices } from "./round-services.ts";

/** A task as it is now; one that has had all its rounds is finished by that. */
export async function dueTask(services: RoundServices, name: TaskName): Promise<TaskRecord | undefined> {
  const { store, env } = services;
  // In one transaction, so that what an operator changes meanwhile is not overwritten.
  const { task, finished } = await store.transaction(async (tx) => {
    const now = await tx.tasks.get(name);
    if (now?.state !== "running" || now.spec.rounds === null) return { task: now };
    const roundsCommitted = await tx.rounds.countCommitted(now.name);
    if (roundsCommitted < now.spec.rounds) return { task: now };
    const done = { ...now, state: "finished" } as const;
    await tx.tasks.setState(now.name, done.state);
    const currentVersion = (await tx.models.get(now.model))?.currentVersion;
    const [round = null] = await tx.rounds.list(now.name, { limit: 1 });
    if (currentVersion === undefined) return { task: done, finished: [] };
    const event = taskEvent(done, { currentVersion, round, roundsCommitted });
    return { task: done, finished: await tx.events.append([event], env.clock.now()) };
  });
  if (finished !== undefined) {
    env.log.info("task finished", { task: name, rounds: task?.spec.rounds ?? null });
    await publishEvents(services, finished);
  }
  return task;
}
