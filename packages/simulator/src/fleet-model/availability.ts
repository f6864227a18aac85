import type { SeededRandom } from "@tributary/core";
import type { FleetModel } from "./fleet-model.ts";

/** Whether a device is reachable at a moment, and until when that stays so. */
export interface Reachability {
  readonly online: boolean;
  /** Milliseconds since the epoch; Infinity: for good. */
  readonly untilMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * A device that comes and goes: a two-state Markov chain in continuous time, whose rate of coming online follows the
 * device's day (a cosine over 24 hours, each device in a time zone of its own). Nothing is remembered: every day of a
 * device begins with a draw from the chain's stationary distribution at that hour and is played up to the moment that is
 * asked about, so that a population of any size costs no memory.
 *
 * @param randomOfDay the device's own stream for a day
 */
export function reachabilityAt(
  { onlineMinutes, offlineMinutes, daySwing }: FleetModel,
  device: { readonly timeZoneHours: number; randomOfDay(day: number): SeededRandom },
  nowMs: number,
): Reachability {
  if (onlineMinutes === null) return { online: true, untilMs: Infinity };
  // In the device's own time, so that not all begin their day at once.
  const offsetMs = device.timeZoneHours * HOUR_MS;
  const localMs = nowMs + offsetMs;
  const day = Math.floor(localMs / DAY_MS);
  const endMs = (day + 1) * DAY_MS;
  const random = device.randomOfDay(day);
  const leaveRate = 1 / (onlineMinutes * MINUTE_MS);
  const comeRate = (atMs: number) => dayCurve(atMs / HOUR_MS, daySwing) / (offlineMinutes * MINUTE_MS);
  let atMs = day * DAY_MS;
  const comeAtStart = comeRate(atMs);
  let online = random.next() < comeAtStart / (comeAtStart + leaveRate);
  for (;;) {
    const changeMs = online
      ? atMs + exponential(random) / leaveRate
      : hazardReached(atMs, exponential(random), comeRate, endMs);
    // The next day begins with a draw of its own.
    const untilMs = Math.min(changeMs, endMs);
    if (untilMs > localMs) return { online, untilMs: untilMs - offsetMs };
    atMs = changeMs;
    online = !online;
  }
}

/** Mean 1 over a day; its largest value is `swing` times its smallest. Most at 20 h, when devices lie idle at home. */
export function dayCurve(localHour: number, swing: number): number {
  const amplitude = (swing - 1) / (swing + 1);
  return 1 + amplitude * Math.cos(((localHour - 20) / 24) * 2 * Math.PI);
}

function exponential(random: SeededRandom): number {
  return -Math.log(1 - random.next());
}

/** When a rate that is held constant over each hour has added up to `hazard`; `endMs` where that is not before. */
function hazardReached(
  fromMs: number,
  hazard: number,
  rateAt: (atMs: number) => number,
  endMs: number,
): number {
  let left = hazard;
  let atMs = fromMs;
  while (atMs < endMs) {
    const hourEndMs = (Math.floor(atMs / HOUR_MS) + 1) * HOUR_MS;
    const rate = rateAt(atMs);
    const reachedMs = atMs + left / rate;
    if (reachedMs <= hourEndMs) return reachedMs;
    left -= (hourEndMs - atMs) * rate;
    atMs = hourEndMs;
  }
  return endMs;
}
