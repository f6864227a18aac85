import { scheduleAt, type TaskSpec } from "@tributary/protocol";

/**
 * Whether a round that waits for its devices may still begin, and when to look again; null: when something changes. Times in ms
 * since the epoch.
 */
export function mayStillBegin(
  { spec, activeSince }: { readonly spec: Pick<TaskSpec, "schedule" | "stop">; readonly activeSince: number },
  now: number,
): { readonly may: false } | { readonly may: true; readonly until: number | null } {
  const schedule = scheduleAt(spec.schedule, now);
  const { elapsedMs } = spec.stop;
  const endsAt = elapsedMs === null ? Infinity : activeSince + elapsedMs;
  if (!schedule.open || now >= endsAt) return { may: false };
  const until = Math.min(endsAt, schedule.closesAt ?? Infinity);
  return { may: true, until: Number.isFinite(until) ? until : null };
}
