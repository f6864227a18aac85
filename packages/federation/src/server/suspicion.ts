import type { DeviceId, SeededRandom } from "@tributary/core";

// Who made a cohort's sum fail, when nobody sees single updates: group testing. Members of a failing cohort are
// suspected and spread over the next ones; a cohort that holds clears its members, and who stays in failing ones is left.

/** Cohorts of each suspected device that failed, or updates of it that were refused, since one of them held. */
export type SuspicionPoints = ReadonlyMap<DeviceId, number>;

export interface CohortVerdict {
  /** Whether the sum is one that honest members can have made. */
  readonly held: boolean;
  /** Whose updates are in the sum. */
  readonly contributors: readonly DeviceId[];
}

export interface Judgement {
  /** Of the devices that are suspected now. */
  readonly points: SuspicionPoints;
  /** The device that stayed in failing cohorts when all others had left them. */
  readonly quarantined: DeviceId | null;
}

/** A device is quarantined with so many points or more, */
export const QUARANTINE_POINTS = 3;
/** and so many more than any other: an honest one may be in bad company for some cohorts, but not alone. */
export const QUARANTINE_LEAD = 2;

/** What a cohort's sum says of its members, and of who is left when one is found: what failed is explained by it. */
export function judgeCohort(before: SuspicionPoints, { held, contributors }: CohortVerdict): Judgement {
  const points = new Map(before);
  if (held) {
    for (const device of contributors) points.delete(device);
    return { points, quarantined: null };
  }
  for (const device of contributors) points.set(device, (points.get(device) ?? 0) + 1);
  const [first, second] = [...points].toSorted(([, a], [, b]) => b - a);
  const [device, most] = first!;
  const alone = most >= QUARANTINE_POINTS && most - (second?.[1] ?? 0) >= QUARANTINE_LEAD;
  if (!alone || !contributors.includes(device)) return { points, quarantined: null };
  return { points: new Map(), quarantined: device };
}

/** Whose single update was refused for what is in it: nobody else can have made it, so that points alone decide. */
export function judgeRefusal(before: number): { readonly points: number; readonly quarantined: boolean } {
  const points = before + 1;
  return { points, quarantined: points >= QUARANTINE_POINTS };
}

/**
 * The suspected devices that may be in the next cohort: half of the most suspected, by lot. If it fails they are
 * suspected more than the rest, if it holds they are cleared: either way the most suspected are half as many.
 */
export function chooseSuspects(
  points: SuspicionPoints,
  random: Pick<SeededRandom, "shuffle">,
): ReadonlySet<DeviceId> {
  const most = Math.max(0, ...points.values());
  const suspects = [...points].flatMap(([device, each]) => (each === most ? [device] : []));
  return new Set(random.shuffle(suspects).slice(0, Math.ceil(suspects.length / 2)));
}
