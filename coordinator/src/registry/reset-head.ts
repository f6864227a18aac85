import { failure, type ModelVersion, type TaskName } from "@tributary/core";
import { usesControlVariates, type AuditActor, type RESTORED_OPTIMIZERS } from "@tributary/protocol";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { ModelRecord, VersionRecord, VersionStateRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { controlTargets, noControlTargets } from "../releases/model-targets.ts";
import { requireNotBarred } from "../rollouts/barred-versions.ts";
import type { TargetChanges } from "../rooms.ts";
import { requireIdleModel } from "./idle-model.ts";
import { requireOffered } from "./offered-version.ts";
import { requireModel } from "./release-version.ts";
import type { ReleaseServices } from "./release-version.ts";
import { roundEvent, taskEvent } from "./views.ts";

/**
 * What the server optimizer goes on with: `restored`, as it was after the version; `stateless`, it had nothing to remember; `anew`, what it
 * remembered is not known, or of another task, and it begins.
 */
export type RestoredOptimizer = (typeof RESTORED_OPTIMIZERS)[number];

/** A task's way back to an earlier version, checked, and not yet gone. */
export interface HeadReset {
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly version: VersionRecord;
  readonly optimizer: RestoredOptimizer;
  /** To be signed with what is stored. */
  readonly targets: TargetChanges;
  /**
   * Stores it with its audit record, as a part of a transaction; gives the events to log.
   *
   * @throws as `prepareReset` where that has changed meanwhile
   */
  apply(tx: MetadataRepositories, by: AuditActor, at: number): Promise<readonly NewEvent[]>;
}

/** What devices and operators see of it. */
export interface HeadResetResult extends Pick<HeadReset, "model" | "version" | "optimizer"> {
  readonly task: TaskRecord;
  readonly from: ModelVersion;
}

/**
 * Lets training go on from a version of its model, older or newer, as if nothing had come after it: the next version has it as its parent,
 * and the server optimizer goes on with what it remembered then. Numbers are not used again. What a buffer holds, and what waits for the
 * verdict of a gate, is of versions that are left behind, and is dropped.
 *
 * For others to make it a part of their own transaction; `resetHead` does nothing else.
 *
 * @throws `coordinator/unknown-task`, `coordinator/unknown-version`, `coordinator/version-retired`,
 *   `coordinator/version-withdrawn`, `coordinator/invalid-task` for one that only measures, `coordinator/task-running`, `coordinator/model-busy`
 */
export async function prepareReset(
  store: MetadataStore,
  name: TaskName,
  wanted: ModelVersion,
): Promise<HeadReset> {
  const task = await requireResting(store, name);
  const model = await requireModel(store, task.model);
  const version = await requireOffered(store, task.model, wanted);
  // What was trained from it would be barred as well.
  await requireNotBarred(store, task.model, wanted);
  const state = await store.versionStates.get(model.name, wanted);
  const after = stateOf(task, version, state);
  const record = typeof after === "object" ? { task: name, version: wanted, ...after } : undefined;
  const optimizer = typeof after === "object" ? "restored" : after;
  const current = usesControlVariates(task.spec) ? await store.releases.targets() : [];
  return {
    task,
    model,
    version,
    optimizer,
    targets: !usesControlVariates(task.spec)
      ? { put: [] }
      : record === undefined
        ? noControlTargets(model.name, name, current)
        : controlTargets(model.name, record, current),
    async apply(tx, by, at) {
      const now = await requireResting(tx, name);
      const from = (await tx.models.get(model.name))?.currentVersion ?? model.currentVersion;
      await tx.models.resetHead(model.name, wanted);
      if (record === undefined) await tx.optimizers.remove(name);
      else await tx.optimizers.put(record);
      const dropped = (await tx.bufferedCohorts.pending(name)).map(({ roundId }) => roundId);
      await tx.bufferedCohorts.discard(dropped);
      await tx.rounds.settleBuffered(dropped, { phase: "abandoned", reason: "round/base-replaced" });
      const gate = now.gate && {
        ...now.gate,
        reference: (await isInLine(tx, version, now.gate.reference)) ? now.gate.reference : wanted,
        candidate: null,
        failures: 0,
      };
      if (gate !== null) await tx.tasks.setGate(name, gate);
      const events: NewEvent[] = [];
      for (const id of dropped) {
        const round = await tx.rounds.get(id);
        if (round !== undefined) events.push(roundEvent(round));
      }
      await tx.audit.append(
        [
          {
            actor: by,
            action: "task.reset",
            object: { task: name, model: model.name, version: wanted },
            detail: { from, optimizer, dropped: dropped.length },
          },
        ],
        at,
      );
      const [round = null] = await tx.rounds.list(name, { limit: 1 });
      const roundsCommitted = await tx.rounds.countCommitted(name);
      const progress = { currentVersion: wanted, round, roundsCommitted };
      return [...events, taskEvent({ ...now, gate }, progress)];
    },
  };
}

/**
 * Lets a task that does not run go on from a version, in a transaction of its own, and tells who follows the task.
 *
 * @throws as {@linkcode prepareReset}
 */
export async function resetHead(
  services: Pick<ReleaseServices, "store" | "bus" | "env" | "releases">,
  name: TaskName,
  wanted: ModelVersion,
  by: AuditActor,
): Promise<HeadResetResult> {
  const { store, env, releases } = services;
  const reset = await prepareReset(store, name, wanted);
  const { model, version, optimizer, targets } = reset;
  const at = env.clock.now();
  const write = async (tx: MetadataRepositories) => tx.events.append(await reset.apply(tx, by, at), at);
  const signs = targets.put.length + (targets.remove ?? []).length > 0;
  const events = signs
    ? await releases.release(targets, (change) =>
        store.transaction(async (tx) => {
          await tx.releases.apply(change);
          return write(tx);
        }),
      )
    : await store.transaction(write);
  env.log.warn("registry: training goes on from an earlier version", {
    task: name,
    model: model.name,
    from: model.currentVersion,
    version: wanted,
    optimizer,
  });
  await announceReset(services, reset);
  for (const event of events) await services.bus.publish("event", event);
  const task = (await store.tasks.get(name)) ?? reset.task;
  return { task, model, version, optimizer, from: model.currentVersion };
}

/** Tells the drivers of rounds, once the transaction is through. */
export async function announceReset(
  { bus }: Pick<ReleaseServices, "bus">,
  { task, model, version }: Pick<HeadReset, "task" | "model" | "version">,
): Promise<void> {
  await bus.publish("head", { model: model.name, version: version.version });
  await bus.publish("task", { task: task.name });
}

/** What the task's server optimizer remembered after a version. */
function stateOf(
  { name }: Pick<TaskRecord, "name">,
  { roundId }: Pick<VersionRecord, "roundId">,
  state: VersionStateRecord | undefined,
): (VersionStateRecord["after"] & object) | Exclude<RestoredOptimizer, "restored"> {
  if (roundId === null || state?.task !== name) return "anew";
  return state.after ?? "stateless";
}

/** @throws `coordinator/unknown-task`, `coordinator/invalid-task`, `coordinator/task-running`, `coordinator/model-busy` */
async function requireResting(
  stored: Pick<MetadataRepositories, "tasks" | "rounds">,
  name: TaskName,
): Promise<TaskRecord> {
  const task = await stored.tasks.get(name);
  if (task === undefined)
    throw failure("coordinator/unknown-task", `registry: no task "${name}"`, { detail: { task: name } });
  if (task.spec.kind !== "train")
    throw failure(
      "coordinator/invalid-task",
      `registry: task "${name}" only measures, and makes no versions`,
      {
        detail: { task: name },
      },
    );
  const open = (await stored.rounds.open()).some((round) => round.task === name);
  if (task.state === "running" || open)
    throw failure(
      "coordinator/task-running",
      `registry: task "${name}" ${task.state === "running" ? "is running" : "has a round that is ending"}; pause it, and wait for its round`,
      { detail: { task: name } },
    );
  await requireIdleModel(stored.tasks, task.spec);
  return task;
}

/** Whether a version grew out of another one, or is it. */
async function isInLine(
  { versions }: Pick<MetadataRepositories, "versions">,
  version: VersionRecord,
  earlier: ModelVersion,
): Promise<boolean> {
  let at: VersionRecord | undefined = version;
  // A parent's number is smaller.
  while (at !== undefined && at.version > earlier && at.parentVersion !== null)
    at = await versions.get(at.model, at.parentVersion);
  return at?.version === earlier;
}
