import { expect, test } from "vitest";
import { createSimulationClock } from "../../src/simulate/clock.ts";

test("events run by time, then by the order they were scheduled in; what they wait for is waited for", async () => {
  const clock = createSimulationClock(1_000);
  const seen: string[] = [];
  const note = (name: string) => () => void seen.push(`${name}@${clock.now()}`);
  clock.schedule(20, note("c"));
  clock.schedule(10, async () => {
    await Promise.resolve();
    note("a")();
    clock.schedule(0, note("after a"));
  });
  clock.schedule(10, note("b"));
  const cancelled = clock.schedule(15, note("never"));
  cancelled.cancel();
  while (await clock.runNext());
  expect(seen).toEqual(["a@1010", "b@1010", "after a@1010", "c@1020"]);
  expect(clock.monotonicMs()).toBe(20);
});

test("time is whole milliseconds, as on the wire, and does not go back", async () => {
  const clock = createSimulationClock(0);
  clock.schedule(0.4, () => undefined);
  await clock.runNext();
  expect(clock.now()).toBe(1);
  expect(() => clock.schedule(-1, () => undefined)).toThrow(RangeError);
  expect(await clock.runNext()).toBe(false);
});
