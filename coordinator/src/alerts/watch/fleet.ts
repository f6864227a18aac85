import type { FleetHourRecord } from "../../ports/records.ts";
import { percent, type AlertSignals, type Watch } from "../finding.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Days with which an hour is compared. */
const DAYS = 7;
/** Fewer days say nothing of what is usual, and fewer devices nothing by their number. */
const FEWEST_DAYS = 3;
const FEWEST_DEVICES = 5;

export const FLEET_HOURS_KEPT_MS = 15 * DAY_MS;

/** Keeps how many devices came in the hour under way: the most that were connected at once, or those that connected within it. */
export async function recordFleetHour(
  { store, devices }: Pick<AlertSignals, "store" | "devices">,
  now: number,
): Promise<void> {
  const hour = hourOf(now);
  const came = await store.devices.count(undefined, { seenSince: hour });
  await store.fleetHours.put({ hour, devices: Math.max(came, devices().connected) });
}

/** The last full hour, and the same hour of the days before; undefined: too few of them are known. */
export function usualDevices(
  hours: readonly FleetHourRecord[],
  now: number,
): { readonly devices: number; readonly usual: number } | undefined {
  const last = hourOf(now) - HOUR_MS;
  const known = new Map(hours.map(({ hour, devices }) => [hour, devices]));
  const devices = known.get(last);
  const before = Array.from({ length: DAYS }, (_, i) => known.get(last - (i + 1) * DAY_MS))
    .filter((each) => each !== undefined)
    .toSorted((a, b) => a - b);
  if (devices === undefined || before.length < FEWEST_DAYS) return undefined;
  const middle = before.length / 2;
  const usual =
    before.length % 2 === 1 ? before[Math.floor(middle)]! : (before[middle - 1]! + before[middle]!) / 2;
  return usual < FEWEST_DEVICES ? undefined : { devices, usual };
}

/** Fewer devices come than usually do at this time of day. */
export const devicesSilent: Watch = async ({ store }, _, { threshold, now }) => {
  const hours = await store.fleetHours.since(hourOf(now) - (DAYS + 1) * DAY_MS);
  const found = usualDevices(hours, now);
  if (found === undefined || found.devices > threshold * found.usual) return [];
  const share = found.devices / found.usual;
  return [
    {
      subject: {},
      value: share,
      summary: `${found.devices} devices came in the last hour, ${percent(share)} of the ${Math.round(found.usual)} that usually do at this time`,
      advice:
        "See whether devices reach the coordinator's address, and whether the app that embeds them was changed.",
    },
  ];
};

function hourOf(now: number): number {
  return now - (now % HOUR_MS);
}
