import type { FleetHourRecord } from "../../ports/device-records.ts";
import { percent, type Watch } from "../finding.ts";

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
/** Days with which an hour is compared. */
const DAYS = 7;
/** Fewer days say nothing of what is usual, and fewer devices nothing by their number. */
const FEWEST_DAYS = 3;
const FEWEST_DEVICES = 5;

/** The last full hour, and what is usual at that hour by the days before; undefined: too few of them are known. */
export function usualDevices(
  hours: readonly Pick<FleetHourRecord, "hour" | "devices">[],
  now: number,
): { readonly devices: number; readonly usual: number } | undefined {
  const last = Math.floor(now / HOUR_MS) - 1;
  const known = new Map(hours.map(({ hour, devices }) => [hour, devices]));
  const before = Array.from({ length: DAYS }, (_, i) => known.get(last - (i + 1) * DAY_HOURS))
    .filter((each) => each !== undefined)
    .toSorted((a, b) => a - b);
  if (before.length < FEWEST_DAYS) return undefined;
  const middle = before.length / 2;
  const usual =
    before.length % 2 === 1 ? before[Math.floor(middle)]! : (before[middle - 1]! + before[middle]!) / 2;
  // Of an hour in which none came nothing is noted.
  return usual < FEWEST_DEVICES ? undefined : { devices: known.get(last) ?? 0, usual };
}

/** Fewer devices come than usually do at this time of day; of an hour in which the coordinator was not there all the time nothing is said. */
export function createFleetWatch(): Watch {
  let since: number | undefined;
  return async ({ store }, _, { threshold, now }) => {
    since ??= now;
    const hour = Math.floor(now / HOUR_MS) - 1;
    if (hour * HOUR_MS < since) return [];
    const hours = await store.fleet.hours({ since: hour - DAYS * DAY_HOURS });
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
}
