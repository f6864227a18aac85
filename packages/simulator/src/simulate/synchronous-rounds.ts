import { failuresAfter } from "@tributary/federation";
import type { VerdictView } from "@tributary/protocol";
import type { Course } from "./course.ts";
import type { RoundRow } from "./round-row.ts";
import type { SimulatedRound } from "./simulated-round.ts";

/** Plays a synchronous task: one round after the other, a gate's after each version. */
export async function playSynchronous(course: Course): Promise<void> {
  const { clock, gate, task } = course;
  let failures = 0;
  let scheduleMs = 0;
  while (!course.over) {
    const schedule = course.schedule();
    if (!schedule.open) {
      scheduleMs += schedule.opensAt! - clock.now();
      await pass(course, schedule.opensAt! - clock.now());
      continue;
    }
    const row = gate.candidate === null ? await train(course, scheduleMs) : await measure(course, scheduleMs);
    scheduleMs = 0;
    failures = failuresAfter(failures, row);
    course.requireProgress(failures, row);
    await pass(course, task.spec.pauseBetweenRoundsMs);
  }
}

async function train(course: Course, scheduleMs: number): Promise<RoundRow> {
  const { model } = course;
  model.begin();
  const round = course.openTraining({
    base: model.shared(model.version),
    commit: (mean) => model.commit(mean),
  });
  await play(course, round);
  const { evaluation, trust } = model;
  const row = course.tell(round, { scheduleMs, evaluation, trust });
  if (row.version !== null) course.committed(model.version, row);
  return row;
}

async function measure(course: Course, scheduleMs: number): Promise<RoundRow> {
  let verdict: VerdictView | undefined;
  const round = course.openGate((sums, devices) => (verdict = course.judged(round, sums, devices)));
  await play(course, round);
  if (round.state.phase === "abandoned" && round.state.code !== "round/outside-schedule")
    verdict = course.judged(round);
  return course.tell(round, { scheduleMs, verdict });
}

async function play(course: Course, round: SimulatedRound): Promise<void> {
  await round.begin();
  course.watchWindow(
    () => round.state.phase === "selecting",
    () => round.abandon("round/outside-schedule"),
  );
  while (!round.ended) await course.proceed([round]);
}

/** Lets so much time pass. */
async function pass({ clock }: Course, durationMs: number): Promise<void> {
  if (durationMs === 0) return;
  let over = false;
  clock.schedule(durationMs, () => void (over = true));
  while (!over) await clock.runNext();
}
