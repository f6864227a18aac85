import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { createCourtesy, TARGET_MS, type Courtesy } from "../../src/participation/courtesy.ts";

let clock: VirtualClock;
let courtesy: Courtesy;
/** What the page says while the worker listens. */
let said: (() => void)[];
const listen = async (): Promise<void> => said.splice(0).forEach((say) => say());

beforeEach(() => {
  clock = createVirtualClock();
  said = [];
  courtesy = createCourtesy({ clock, listen });
});

/** Lets everything run that waits for nothing but promises. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** A run of the graph that takes so long. */
const taking = (ms: number) => async (): Promise<void> => clock.advance(ms);

describe("training in a page", () => {
  test("no run begins after a touch until the page is quiet again", async () => {
    let begun = 0;
    const work = async (): Promise<void> => void (begun += 1);
    await courtesy.run(1, work);
    // The message of the touch lies in the worker's queue while the run before it ends.
    said.push(() => courtesy.setReason("input", true));
    const waiting = courtesy.run(1, work);
    await settle();
    expect(begun).toBe(1);
    expect(courtesy.diagnose().paused).toEqual(["input"]);
    clock.advance(700);
    await settle();
    expect(begun).toBe(1);
    courtesy.setReason("input", false);
    await waiting;
    expect(begun).toBe(2);
    expect(courtesy.diagnose()).toMatchObject({ runs: 2, pauses: { input: { count: 1, totalMs: 700 } } });
  });

  test("it takes its share of the time, and a touch during the rest counts too", async () => {
    courtesy.setDutyCycle(0.25);
    await courtesy.run(1, taking(20));
    const second = courtesy.run(1, taking(20));
    await settle();
    clock.advance(59);
    await settle();
    expect(courtesy.diagnose().runs).toBe(1);
    courtesy.setReason("input", true);
    await settle();
    clock.advance(500);
    await settle();
    expect(courtesy.diagnose().runs).toBe(1);
    courtesy.setReason("input", false);
    await second;
    expect(courtesy.diagnose()).toMatchObject({
      runs: 2,
      dutyCycle: 0.25,
      medianMs: 20,
      pauses: { "duty-cycle": { count: 1, totalMs: 59 }, input: { count: 1, totalMs: 500 } },
    });
  });

  test("a run takes as many batches as fit into its time, one where nothing is known", async () => {
    expect(courtesy.maxSteps()).toBe(1);
    await courtesy.run(1, taking(4));
    expect(courtesy.maxSteps()).toBe(TARGET_MS / 4);
    for (let i = 0; i < 30; i++) await courtesy.run(4, taking(80));
    expect(courtesy.maxSteps()).toBe(2);
    for (let i = 0; i < 30; i++) await courtesy.run(1, taking(90));
    expect(courtesy.maxSteps()).toBe(1);
    expect(courtesy.diagnose()).toMatchObject({ longRuns: 60, p95Ms: 90 });
  });

  test("who waits is let go by an abort", async () => {
    courtesy.setReason("hidden", true);
    const controller = new AbortController();
    const waiting = courtesy.run(1, async () => 1, controller.signal);
    await settle();
    controller.abort(new Error("not needed"));
    await expect(waiting).rejects.toThrow("not needed");
  });
});

test("where no page is near, runs follow each other, as long as the graph makes them", async () => {
  const alone = createCourtesy({ clock });
  expect(alone.maxSteps()).toBe(Number.POSITIVE_INFINITY);
  await alone.run(8, taking(500));
  await alone.run(8, taking(500));
  expect(alone.diagnose()).toMatchObject({ runs: 2, steps: 16, pauses: {}, dutyCycle: 1 });
});
