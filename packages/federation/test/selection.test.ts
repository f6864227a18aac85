import { seededRandom, type DeviceId } from "@tributary/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCheckInQueue, drawOrder } from "../src/index.ts";
import { device } from "./fixtures.ts";

const items = (count: number) => Array.from({ length: count }, (_, i) => ({ device: device(i) }));
const indexOf = new Map(items(64).map((item, i) => [item.device, i]));

/** Rounds of `wanted` of the devices; how often each took part, and the longest that one had to wait. */
function play(options: { devices: number; wanted: number; rounds: number; fairness: number; seed: number }) {
  const random = seededRandom(options.seed);
  const last = new Map<DeviceId, number>();
  const counts = Array.from({ length: options.devices }, () => 0);
  let longestWait = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const lastRound = (each: DeviceId) => last.get(each);
    const order = drawOrder(items(options.devices), { ...options, round, lastRound, random });
    for (const { device: each } of order.slice(0, options.wanted)) {
      longestWait = Math.max(longestWait, round - (last.get(each) ?? 0));
      last.set(each, round);
      counts[indexOf.get(each)!]! += 1;
    }
  }
  return { counts, longestWait };
}

test("a check-in again keeps the place and updates the examples; one that left is gone", () => {
  const queue = createCheckInQueue();
  for (const i of [0, 1, 2]) queue.checkIn(device(i), 10);
  queue.checkIn(device(0), 20);
  expect(queue.all()[0]).toEqual({ device: device(0), examples: 20 });
  queue.remove(device(0));
  expect([queue.size, queue.get(device(0))]).toEqual([2, undefined]);
});

describe("the draw", () => {
  test("is an order of all, the same for the same seed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 40 }),
        fc.integer(),
        (count, fairness, rounds, seed) => {
          const lastRound = (each: DeviceId) => rounds[indexOf.get(each)!];
          const draw = () =>
            drawOrder(items(count), { fairness, round: 1_000_001, lastRound, random: seededRandom(seed) });
          const order = draw().map((item) => indexOf.get(item.device)!);
          expect(order.toSorted((a, b) => a - b)).toEqual(items(count).map((_, i) => i));
          expect(draw().map((item) => indexOf.get(item.device)!)).toEqual(order);
        },
      ),
      { seed: 5, numRuns: 60 },
    );
  });

  test("goes strictly by turn with fairness 1: nobody waits longer than the others take", () => {
    const { counts, longestWait } = play({ devices: 12, wanted: 4, rounds: 30, fairness: 1, seed: 3 });
    expect(counts).toEqual(counts.map(() => 10));
    expect(longestWait).toBe(3);
  });

  test("takes a device that sat out long more often than one that has just been asked", () => {
    const last = new Map([
      [device(0), 9],
      [device(1), 1],
    ]);
    const firsts = (fairness: number): number => {
      const random = seededRandom(7);
      const lastRound = (each: DeviceId) => last.get(each);
      let first = 0;
      for (let i = 0; i < 1_000; i++) {
        const [winner] = drawOrder(items(2), { fairness, round: 10, lastRound, random });
        if (winner?.device === device(1)) first += 1;
      }
      return first / 1_000;
    };
    // Weights of 1 and 9 rounds: by their power, 0.5; 0.9; 0.9^3 / (0.9^3 + 0.1^3).
    expect(firsts(0)).toBeCloseTo(0.5, 1);
    expect(firsts(0.5)).toBeCloseTo(0.9, 1);
    expect(firsts(0.75)).toBeGreaterThan(0.99);
  });

  test("by default spreads participation more evenly than a lot does, and reaches everyone", () => {
    const spread = (fairness: number): number => {
      const { counts } = play({ devices: 60, wanted: 6, rounds: 200, fairness, seed: 11 });
      expect(Math.min(...counts)).toBeGreaterThan(0);
      return Math.max(...counts) - Math.min(...counts);
    };
    expect(spread(0.5)).toBeLessThan(spread(0));
  });
});
