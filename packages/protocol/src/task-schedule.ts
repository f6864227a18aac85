import { Cron } from "croner";
import Type, { type Static } from "typebox";
import { nullable, readonlyArray } from "./schema.ts";
import type { DocumentFault } from "./training-faults.ts";

const strict = { additionalProperties: false };

/** When rounds may begin. A round that has begun to train ends in its own time. */
export const TaskSchedule = Type.Object(
  {
    windows: readonlyArray(
      Type.Object(
        {
          cron: Type.String({
            minLength: 1,
            maxLength: 128,
            description: "When it opens: minute hour day-of-month month day-of-week, such as 0 22 * * *",
          }),
          durationMs: Type.Integer({ minimum: 60_000, maximum: 7 * 86_400_000, description: "How long" }),
        },
        strict,
      ),
      { minItems: 1, maxItems: 32 },
    ),
    timeZone: Type.String({
      minLength: 1,
      maxLength: 64,
      default: "UTC",
      description: "IANA name, such as Europe/Zurich",
    }),
  },
  strict,
);
export type TaskSchedule = Static<typeof TaskSchedule>;

/** As a field of a task. */
export const DefaultTaskSchedule = nullable(TaskSchedule, {
  default: null,
  description: "When rounds may begin; null: at any time",
});

/** Whether a schedule is open, and until or from when; null: always, or never again. */
export type ScheduleState =
  | { readonly open: true; readonly closesAt: number | null }
  | { readonly open: false; readonly opensAt: number | null };

/** Windows that follow each other without a gap are looked through so far; longer ones have no end. */
const MAX_JOINED_WINDOWS = 64;

/**
 * The schedule at a time. An opening that a time zone skips is at the end of the gap; one that it repeats counts once.
 *
 * @param now ms since the epoch
 */
export function scheduleAt(schedule: TaskSchedule | null, now: number): ScheduleState {
  if (schedule === null) return { open: true, closesAt: null };
  const windows = schedule.windows.map(({ cron, durationMs }) => ({
    cron: cronOf(cron, schedule.timeZone),
    durationMs,
  }));
  let closesAt = now;
  for (let joined = 0; joined <= MAX_JOINED_WINDOWS; joined++) {
    const next = Math.max(closesAt, ...windows.map((window) => endOf(window, closesAt)));
    if (next === closesAt) {
      if (closesAt > now) return { open: true, closesAt };
      const opensAt = Math.min(
        ...windows.map(({ cron }) => cron.nextRun(new Date(now))?.getTime() ?? Infinity),
      );
      return { open: false, opensAt: Number.isFinite(opensAt) ? opensAt : null };
    }
    closesAt = next;
  }
  return { open: true, closesAt: null };
}

/** The end of the window's latest opening that covers `at` (its start included, its end not), else `at`. */
function endOf(
  { cron, durationMs }: { readonly cron: Cron; readonly durationMs: number },
  at: number,
): number {
  // Openings are at whole seconds: one that is at `at` itself is before the next second.
  const [start] = cron.previousRuns(1, new Date(Math.floor(at / 1000) * 1000 + 1000));
  return start === undefined ? at : Math.max(at, start.getTime() + durationMs);
}

/** What is wrong with a schedule, though it has the right form; undefined: nothing. */
export function scheduleWindowFault(schedule: TaskSchedule | null): DocumentFault | undefined {
  if (schedule === null) return undefined;
  const { timeZone, windows } = schedule;
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    return { path: "/schedule/timeZone", problem: `must be an IANA time zone, such as UTC or Europe/Zurich` };
  }
  for (const [i, { cron }] of windows.entries()) {
    const path = `/schedule/windows/${i}/cron`;
    try {
      if (cronOf(cron, timeZone).nextRun(new Date(0)) === null) return { path, problem: "never comes" };
    } catch (error) {
      const why = error instanceof Error ? `: ${error.message.slice(0, 120)}` : "";
      return { path, problem: `must have five fields, such as "0 22 * * *"${why}` };
    }
  }
  return undefined;
}

/** Paused: it computes, and schedules nothing. */
function cronOf(pattern: string, timezone: string): Cron {
  return new Cron(pattern, { timezone, mode: "5-part", paused: true });
}
