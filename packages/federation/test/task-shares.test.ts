import { asTaskName, seededRandom, type TaskName } from "@tributary/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTaskShares, keepsDevices } from "../src/index.ts";

interface Demand {
  readonly name: TaskName;
  readonly minimum: number;
  readonly most: number;
}

/** Tasks over one population, round after round of random length; who began how often, and how many devices each had. */
function play(demands: readonly Demand[], population: number, steps: number, seed: number) {
  const random = seededRandom(seed);
  const shares = createTaskShares();
  for (const { name } of demands) shares.join(name);
  const busyUntil = new Map<TaskName, { readonly until: number; readonly devices: number }>();
  const had = new Map<TaskName, number>(demands.map(({ name }) => [name, 0]));
  const longest = new Map<TaskName, number>(demands.map(({ name }) => [name, 0]));
  const begun = new Map<TaskName, number>(demands.map(({ name }) => [name, 0]));
  let free = population;
  for (let step = 0; step < steps; step++) {
    for (const [name, { until, devices }] of busyUntil) {
      if (until > step) continue;
      busyUntil.delete(name);
      free += devices;
    }
    // Whoever looks first looks first by chance: what is fair is the rule, not the order of events.
    for (const { name, minimum, most } of random.shuffle([...demands])) {
      if (busyUntil.has(name)) continue;
      const kept = demands.some(
        (other) =>
          other.name !== name &&
          !busyUntil.has(other.name) &&
          keepsDevices(shares, { task: other.name, minimum: other.minimum, could: population }, name),
      );
      if (kept || free < minimum) continue;
      const devices = Math.min(free, most);
      free -= devices;
      shares.served(name, devices);
      had.set(name, had.get(name)! + devices);
      longest.set(name, Math.max(longest.get(name)!, step - begun.get(name)!));
      begun.set(name, step);
      busyUntil.set(name, { until: step + 1 + random.integer(4), devices });
    }
  }
  return { had: [...had.values()], longestWaits: [...longest.values()] };
}

const demand = (name: string, minimum: number, most: number): Demand => ({
  name: asTaskName(name),
  minimum,
  most,
});

describe("tasks that share a population", () => {
  test("get equal parts of it, whatever the size of their cohorts", () => {
    const { had } = play([demand("a", 16, 26), demand("b", 16, 26), demand("c", 16, 26)], 30, 3_000, 1);
    expect(Math.max(...had) / Math.min(...had)).toBeLessThan(1.05);
    const mixed = play(
      [demand("large", 25, 30), demand("middle", 10, 13), demand("small", 2, 3)],
      30,
      3_000,
      2,
    );
    // A small cohort cannot use as much; the others have at least as much.
    expect(Math.min(...mixed.had)).toBe(mixed.had[2]);
    expect(mixed.had[0]! / mixed.had[1]!).toBeGreaterThan(0.9);
  });

  test("property: none starves, though small ones could always leave too few for a large one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.integer(), (smalls, seed) => {
        const demands = [
          demand("large", 28, 30),
          ...Array.from({ length: smalls }, (_, i) => demand(`small-${i}`, 2, 3)),
        ];
        const { longestWaits } = play(demands, 30, 2_000, seed);
        // As much as the small ones need to have had what it had.
        expect(longestWaits[0]).toBeLessThan(200);
        for (const wait of longestWaits) expect(wait).toBeLessThan(200);
      }),
      { seed: 8, numRuns: 20 },
    );
  });

  test("a task that cannot be filled keeps nobody", () => {
    const shares = createTaskShares();
    const [a, b] = [asTaskName("a"), asTaskName("b")];
    shares.join(a);
    shares.join(b);
    shares.served(b, 10);
    expect(keepsDevices(shares, { task: a, minimum: 16, could: 15 }, b)).toBe(false);
    expect(keepsDevices(shares, { task: a, minimum: 16, could: 16 }, b)).toBe(true);
    expect(keepsDevices(shares, { task: b, minimum: 1, could: 16 }, a)).toBe(false);
  });

  test("one that comes later has no claim on what it missed", () => {
    const shares = createTaskShares();
    const [a, b, late] = [asTaskName("a"), asTaskName("b"), asTaskName("late")];
    shares.join(a);
    shares.join(b);
    shares.served(a, 1_000);
    shares.served(b, 900);
    shares.join(late);
    expect(shares.inOrder()).toEqual([b, late, a]);
    shares.served(late, 50);
    shares.served(b, 200);
    expect(shares.inOrder()).toEqual([late, a, b]);
    shares.leave(a);
    expect(shares.inOrder()).toEqual([late, b]);
  });
});
