import { seededRandom, type DeviceId, type SeededRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chooseSuspects,
  createCheckInQueue,
  drawOrder,
  judgeCohort,
  judgeRefusal,
  type SuspicionPoints,
} from "../src/index.ts";
import { device } from "./fixtures.ts";

const devices = (count: number): DeviceId[] => Array.from({ length: count }, (_, i) => device(i));
const suspected = (...points: readonly (readonly [number, number])[]): SuspicionPoints =>
  new Map(points.map(([index, each]) => [device(index), each]));

describe("a cohort's sum", () => {
  test("that fails gives its members a point, one that holds clears its own", () => {
    const first = judgeCohort(new Map(), { held: false, contributors: devices(4) });
    expect(first).toEqual({ points: suspected([0, 1], [1, 1], [2, 1], [3, 1]), quarantined: null });
    const second = judgeCohort(first.points, { held: false, contributors: [device(0), device(9)] });
    expect(second.points).toEqual(suspected([0, 2], [1, 1], [2, 1], [3, 1], [9, 1]));
    const third = judgeCohort(second.points, { held: true, contributors: [device(1), device(3), device(5)] });
    expect(third.points).toEqual(suspected([0, 2], [2, 1], [9, 1]));
  });

  test("an update that was refused is a point, and three are too many", () => {
    const refused = [0, 1, 2, 5].map(judgeRefusal);
    expect(refused).toEqual([
      { points: 1, quarantined: false },
      { points: 2, quarantined: false },
      { points: 3, quarantined: true },
      { points: 6, quarantined: true },
    ]);
  });

  test("quarantines who has three points and two more than anyone else, and clears all others", () => {
    const fails = (points: SuspicionPoints, ...members: number[]) =>
      judgeCohort(points, { held: false, contributors: members.map(device) });
    expect(fails(suspected([0, 2], [1, 1]), 0)).toEqual({ points: new Map(), quarantined: device(0) });
    expect(fails(suspected([0, 1]), 0, 5).quarantined).toBeNull();
    // As suspect as its company.
    expect(fails(suspected([0, 4], [1, 4]), 0, 1).quarantined).toBeNull();
    expect(fails(suspected([0, 4], [1, 4]), 0).quarantined).toBeNull();
    // A failure without it says nothing more about it.
    expect(fails(suspected([0, 5], [1, 1]), 1).quarantined).toBeNull();
  });

  test("lets half of the most suspected, rounded up, into the next cohort", () => {
    const points = suspected([0, 2], [1, 2], [2, 2], [3, 1], [4, 1]);
    const chosen = chooseSuspects(points, seededRandom(1));
    expect(chosen.size).toBe(2);
    for (const each of chosen) expect(points.get(each)).toBe(2);
    expect(chooseSuspects(suspected([3, 1]), seededRandom(1))).toEqual(new Set([device(3)]));
    expect(chooseSuspects(new Map(), seededRandom(1)).size).toBe(0);
  });
});

/** A device gives to two sums of one version, whatever becomes of them: `trust.maxContributionsPerVersion`. */
const MAX_CONTRIBUTIONS = 2;
const COHORT = 20;
const FLOOR = 16;

interface Search {
  /** Rounds until the liar was quarantined; undefined when it never was. */
  readonly foundAfter: number | undefined;
  readonly quarantined: readonly DeviceId[];
  readonly points: SuspicionPoints;
  readonly committed: number;
}

/** Rounds of one task, with the rules of its driver: a cohort with the liar in it fails. */
function search(population: number, rounds: number, random: SeededRandom): Search {
  const liar = device(random.integer(population));
  const queue = createCheckInQueue();
  for (const each of random.shuffle(devices(population))) queue.checkIn(each, 10);
  const quarantined: DeviceId[] = [];
  const given = new Map<DeviceId, number>();
  const lastRounds = new Map<DeviceId, number>();
  let points: SuspicionPoints = new Map();
  let foundAfter: number | undefined;
  let committed = 0;
  for (let round = 1; round <= rounds; round++) {
    const chosen = chooseSuspects(points, random);
    const lastRound = (each: DeviceId) => lastRounds.get(each);
    const drawn = drawOrder(queue.all(), { fairness: 0.5, round, lastRound, random });
    const able = drawn.flatMap(({ device: each }) => {
      const spent = (given.get(each) ?? 0) >= MAX_CONTRIBUTIONS;
      return spent || quarantined.includes(each) ? [] : [each];
    });
    const free = able.filter((each) => !points.has(each) || chosen.has(each));
    // Where the others are too few, suspects fill the cohort.
    const held = random.shuffle(able.filter((each) => !free.includes(each)));
    const offered = [...free, ...held.slice(0, Math.max(0, FLOOR - free.length))].slice(0, COHORT + 4);
    for (const each of offered) lastRounds.set(each, round);
    const contributors = random.shuffle([...offered]).slice(0, COHORT);
    if (contributors.length < FLOOR) continue;
    for (const each of contributors) given.set(each, (given.get(each) ?? 0) + 1);
    const isHeld = !contributors.includes(liar);
    if (isHeld) {
      committed += 1;
      given.clear();
    }
    const judged = judgeCohort(points, { held: isHeld, contributors });
    points = judged.points;
    if (judged.quarantined === null) continue;
    quarantined.push(judged.quarantined);
    if (judged.quarantined === liar) foundAfter ??= round;
  }
  return { foundAfter, quarantined, points, committed };
}

describe("property: one liar among many", () => {
  test("is found after some reshuffles, and nobody else; the honest are cleared and training goes on", () => {
    const found: number[] = [];
    fc.assert(
      fc.property(fc.integer({ min: 48, max: 120 }), fc.integer(), (population, seed) => {
        const rounds = 30 + population;
        const { foundAfter, quarantined, points, committed } = search(population, rounds, seededRandom(seed));
        expect(quarantined).toHaveLength(1);
        expect(foundAfter).toBeDefined();
        found.push(foundAfter!);
        expect(points.size).toBe(0);
        expect(committed).toBeGreaterThan(rounds / 2);
      }),
      { seed: 4711, numRuns: 50 },
    );
    console.log(`found after ${Math.min(...found)} to ${Math.max(...found)} rounds`);
  });
});
