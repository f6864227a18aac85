import { failuresAfter } from "@tributary/federation";
import type { TaskRecord } from "../../ports/task-records.ts";
import { counted, type AlertSignals, type Watch } from "../finding.ts";

/** Rounds of a task that are looked at. */
const MOST = 100;

/** Rounds of tasks that fail one after the other; of a task that gave up for it too, until an operator lets it go on. */
export const roundsFail: Watch = async ({ store }, _, { threshold }) => {
  const findings = [];
  for (const task of await store.tasks.list()) {
    const gaveUp = task.state === "paused" && task.reason?.code === "consecutive-failures";
    if (task.state !== "running" && !gaveUp) continue;
    const { failures, last } = await failedRounds(store, task, Math.max(threshold, 20));
    if (failures < threshold) continue;
    const { name, model } = task;
    const why = last === null ? "" : `, the last with ${last}`;
    findings.push({
      subject: { task: name, model },
      value: failures,
      summary: `${counted(failures, "round")} in a row of ${name} ${failures === 1 ? "was" : "were"} abandoned${why}${gaveUp ? "; the task has paused" : ""}`,
      advice: `tributary task show ${name} says why the last one was.`,
    });
  }
  return findings;
};

async function failedRounds(
  { rounds }: Pick<AlertSignals["store"], "rounds">,
  { name, activeSince }: TaskRecord,
  limit: number,
): Promise<{ readonly failures: number; readonly last: string | null }> {
  let failures = 0;
  let last: string | null = null;
  for (const record of await rounds.list(name, { limit: Math.min(limit, MOST) })) {
    // Whether a gate finds its devices says nothing of training.
    if (record.endedAt === null || record.purpose === "gate") continue;
    if (record.startedAt < activeSince || failuresAfter(0, record) === 0) break;
    failures += 1;
    last ??= record.reason;
  }
  return { failures, last };
}

/** Versions that do not get through their task's gate. */
export const gateFailed: Watch = async ({ store }, _, { threshold }) =>
  (await store.tasks.list()).flatMap(({ name, model, state, reason, gate }) => {
    const waits = state === "running" || reason?.code === "gate";
    if (!waits || gate === null || gate.failures < threshold) return [];
    const improvement = gate.last?.improvement ?? null;
    const found =
      improvement === null || gate.last === null
        ? ""
        : `; the last changed ${gate.last.metric} by ${Number(improvement.toPrecision(3))} and had to by ${gate.last.requiredImprovement}`;
    return [
      {
        subject: { task: name, model },
        value: gate.failures,
        summary: `${counted(gate.failures, "version")} in a row of ${name} did not pass its gate${found}`,
        advice: `tributary task results ${name} shows the measurements; version ${gate.reference} stays released.`,
      },
    ];
  });

/** Tasks that nobody can train for. */
export const noDevices: Watch = async ({ store, devices }) => {
  if (devices().connected > 0) return [];
  const running = (await store.tasks.list()).filter(({ state }) => state === "running");
  if (running.length === 0) return [];
  return [
    {
      subject: {},
      value: 0,
      summary: `${counted(running.length, "task")} ${running.length === 1 ? "is" : "are"} running and no device is connected`,
      advice:
        "See whether devices reach the coordinator's address, and whether their certificates can be renewed.",
    },
  ];
};
