import type { TufRole } from "@tributary/tuf";

const DAY_MS = 86_400_000;

/** "operator": targets whose keys are not all here, so that somebody has to fetch them to sign again. */
export type Lifetimes = Readonly<Record<TufRole | "operator", number>>;

/**
 * How long signed metadata lives, in milliseconds; it is signed again when half of that is over.
 *
 * @param timestampDays - that of the timestamp; what it vouches for lives at least as long
 */
export function lifetimesOf(timestampDays: number): Lifetimes {
  const days = (least: number): number => Math.max(least, timestampDays) * DAY_MS;
  return {
    root: days(365),
    operator: days(365),
    targets: days(90),
    snapshot: days(30),
    timestamp: timestampDays * DAY_MS,
  };
}
