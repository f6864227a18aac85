import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTaskSpec, scheduleAt, type TaskSchedule } from "../src/index.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const at = (text: string): number => Date.parse(text);
const schedule = (timeZone: string, ...windows: TaskSchedule["windows"]): TaskSchedule => ({
  timeZone,
  windows,
});
const nights = schedule("Europe/Zurich", { cron: "0 22 * * *", durationMs: 4 * HOUR_MS });

test("without a schedule it is always open", () => {
  expect(scheduleAt(null, 0)).toEqual({ open: true, closesAt: null });
});

test("a window is open from its begin, included, to its end, and tells the next", () => {
  const [opens, closes] = [at("2026-01-05T21:00:00Z"), at("2026-01-06T01:00:00Z")];
  expect(scheduleAt(nights, opens - 1)).toEqual({ open: false, opensAt: opens });
  expect(scheduleAt(nights, opens)).toEqual({ open: true, closesAt: closes });
  expect(scheduleAt(nights, closes - 1)).toEqual({ open: true, closesAt: closes });
  expect(scheduleAt(nights, closes)).toEqual({ open: false, opensAt: at("2026-01-06T21:00:00Z") });
});

test("windows follow the zone's clock: an hour earlier in summer, at the end of a gap, once where an hour comes twice", () => {
  expect(scheduleAt(nights, at("2026-07-01T12:00:00Z"))).toEqual({
    open: false,
    opensAt: at("2026-07-01T20:00:00Z"),
  });
  const early = schedule("Europe/Zurich", { cron: "30 2 * * *", durationMs: 10 * MINUTE_MS });
  // 02:30 does not exist on 29 March, and comes twice on 25 October.
  expect(scheduleAt(early, at("2026-03-29T00:00:00Z"))).toMatchObject({
    opensAt: at("2026-03-29T01:00:00Z"),
  });
  expect(scheduleAt(early, at("2026-10-25T00:29:00Z"))).toMatchObject({
    opensAt: at("2026-10-25T00:30:00Z"),
  });
  expect(scheduleAt(early, at("2026-10-25T00:41:00Z"))).toMatchObject({
    opensAt: at("2026-10-26T01:30:00Z"),
  });
});

test("windows that overlap or touch are one", () => {
  const joined = schedule(
    "UTC",
    { cron: "0 8 * * 1-5", durationMs: 2 * HOUR_MS },
    { cron: "0 10 * * *", durationMs: HOUR_MS },
    { cron: "30 10 * * 1", durationMs: HOUR_MS },
  );
  expect(scheduleAt(joined, at("2026-01-05T09:00:00Z"))).toEqual({
    open: true,
    closesAt: at("2026-01-05T11:30:00Z"),
  });
  const always = schedule("UTC", { cron: "* * * * *", durationMs: MINUTE_MS });
  expect(scheduleAt(always, at("2026-01-05T09:00:30Z"))).toEqual({ open: true, closesAt: null });
});

test("property: a daily window in UTC is open when the time of day says so", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      fc.integer({ min: 1, max: 1_439 }),
      fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2040-01-01T00:00:00Z") }),
      (hour, minute, minutes, now) => {
        const daily = schedule("UTC", { cron: `${minute} ${hour} * * *`, durationMs: minutes * MINUTE_MS });
        const day = 24 * HOUR_MS;
        const since = (((now - (hour * 60 + minute) * MINUTE_MS) % day) + day) % day;
        const open = since < minutes * MINUTE_MS;
        expect(scheduleAt(daily, now)).toEqual(
          open
            ? { open: true, closesAt: now - since + minutes * MINUTE_MS }
            : { open: false, opensAt: now - since + day },
        );
      },
    ),
    { seed: 10, numRuns: 200 },
  );
});

describe("a task's schedule", () => {
  const fault = (value: object) => {
    try {
      parseTaskSpec({ name: "t", model: "m", schedule: value });
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  const window = { cron: "0 22 * * *", durationMs: HOUR_MS };

  test.each([
    [{ windows: [] }, "/schedule"],
    [{ windows: [{ ...window, cron: "0 22 * *" }] }, "/schedule/windows/0/cron must have five fields"],
    [
      { windows: [window, { ...window, cron: "61 * * * *" }] },
      "/schedule/windows/1/cron must have five fields",
    ],
    [{ windows: [{ ...window, cron: "0 0 31 2 *" }] }, "/schedule/windows/0/cron never comes"],
    [{ windows: [window], timeZone: "Mars/Olympus" }, "/schedule/timeZone must be an IANA time zone"],
    [{ windows: [{ ...window, durationMs: 5 }] }, "/schedule/windows/0/durationMs must be >= 60000"],
  ])("%j is refused, naming the field", (value, message) => {
    expect(fault(value)).toContain(message);
  });

  test("is kept as it is, in UTC where it names no zone", () => {
    expect(fault({ windows: [window] })).toBeUndefined();
    expect(parseTaskSpec({ name: "t", model: "m", schedule: { windows: [window] } }).schedule).toEqual({
      timeZone: "UTC",
      windows: [window],
    });
  });
});
