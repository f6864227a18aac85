import { giveUpReason } from "@tributary/federation";
import { scheduleAt, type TaskReason } from "@tributary/protocol";
import { taskStopped } from "../audit/records.ts";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { EventRecord } from "../ports/event-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { taskEvent } from "../registry/views.ts";
import type { StopWatch } from "./stop-watch.ts";

/** What a task does next. */
export type NextStep =
  | {
      readonly type: "round";
      readonly task: TaskRecord;
      /** Nothing is left to train: the last version gets the gate's verdict. */
      readonly trained: boolean;
    }
  /** Nothing, until it is changed, or until then; ms since the epoch. */
  | {
      readonly type: "rest";
      readonly task: TaskRecord | undefined;
      readonly until: number | null;
      /** It has just stopped running, for the reason that its row now gives. */
      readonly stopped?: readonly EventRecord[];
    };

/**
 * Decides, as a part of the given transaction, so that what an operator changes meanwhile is not overwritten: a task that is
 * done is finished, one that failed too often pauses itself, one whose schedule is closed rests.
 */
export async function nextStep(
  tx: MetadataRepositories,
  name: TaskRecord["name"],
  state: {
    readonly watch: StopWatch;
    readonly failures: number;
    /** Why the last round failed. */
    readonly lastFailure: string | null;
    readonly now: number;
  },
): Promise<NextStep> {
  const { watch, failures, lastFailure, now } = state;
  const task = await tx.tasks.get(name);
  if (task?.state !== "running") return { type: "rest", task, until: null };
  // The last version gets the gate's verdict too.
  const waits = task.gate !== null && task.gate.candidate !== null;
  const done = await watch.reason(tx, task, now);
  if (done !== undefined && !waits) return stop(tx, task, "finished", done, now);
  const failed = giveUpReason(task.spec.retries, failures, lastFailure);
  if (failed !== undefined) return stop(tx, task, "paused", failed, now);
  const schedule = scheduleAt(task.spec.schedule, now);
  return schedule.open
    ? { type: "round", task, trained: done !== undefined }
    : { type: "rest", task, until: schedule.opensAt };
}

async function stop(
  tx: MetadataRepositories,
  before: TaskRecord,
  state: "finished" | "paused",
  reason: TaskReason,
  now: number,
): Promise<NextStep> {
  const task = { ...before, state, reason };
  await tx.tasks.setState(task.name, state, { reason });
  await tx.audit.append([taskStopped(task)], now);
  const currentVersion = (await tx.models.get(task.model))?.currentVersion;
  const [round = null] = await tx.rounds.list(task.name, { limit: 1 });
  const roundsCommitted = await tx.rounds.countCommitted(task.name);
  const stopped =
    currentVersion === undefined
      ? []
      : await tx.events.append([taskEvent(task, { currentVersion, round, roundsCommitted })], now);
  return { type: "rest", task, until: null, stopped };
}
