import { seededRandom } from "@tributary/core";
import { LIMITS } from "@tributary/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { returnAfterMs, returnWindow } from "../src/index.ts";

const START = 1_767_225_600_000;
const round = { roundMs: 80_000, wanted: 30 };

describe("the window a device is told", () => {
  test("is the same short one for a small population, whenever within the period it is told", () => {
    const random = seededRandom(1);
    // A full period from its begin on.
    const begin = Math.ceil(START / round.roundMs) * round.roundMs;
    const returns = Array.from({ length: 60 }, () => {
      const now = begin + random.integer(round.roundMs - 1_000);
      const window = returnWindow({ ...round, now, needAt: null, population: 60 });
      return now + returnAfterMs(window, random.next());
    });
    expect(Math.min(...returns)).toBeGreaterThanOrEqual(begin + round.roundMs);
    expect(Math.max(...returns) - Math.min(...returns)).toBeLessThanOrEqual(10_000);
  });

  test("spreads a large population: a round meets about twice the devices it asks, at any time", () => {
    const random = seededRandom(2);
    const population = 20_000;
    const arrivals = Array.from({ length: population }, () => {
      const window = returnWindow({ ...round, now: START, needAt: START + 20_000, population });
      return returnAfterMs(window, random.next()) - 20_000;
    });
    const last = Math.max(...arrivals);
    const perRound = Array.from({ length: Math.floor(last / round.roundMs) }, () => 0);
    for (const at of arrivals) {
      const slot = Math.floor(at / round.roundMs);
      if (slot < perRound.length) perRound[slot]! += 1;
    }
    expect(Math.min(...perRound)).toBeGreaterThan(round.wanted);
    expect(Math.max(...perRound)).toBeLessThan(4 * round.wanted);
  });

  test("property: what a coordinator may demand is bounded, on both sides", () => {
    const anyMs = fc.double({ min: -1e15, max: 1e15, noNaN: true });
    fc.assert(
      fc.property(
        fc.option(anyMs, { nil: null }),
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 0, max: 1e9 }),
        (needAt, roundMs, wanted, population) => {
          const { retryAfterMs, windowMs } = returnWindow({
            now: START,
            needAt,
            roundMs,
            wanted,
            population,
          });
          for (const [value, most] of [
            [retryAfterMs, LIMITS.maxReturnAfterMs],
            [windowMs, LIMITS.maxReturnWindowMs],
          ] as const) {
            expect(Number.isInteger(value)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(0);
            expect(value).toBeLessThanOrEqual(most);
          }
          expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
        },
      ),
      { seed: 3, numRuns: 150 },
    );
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (retryAfterMs, windowMs, jitter) => {
          const afterMs = returnAfterMs({ retryAfterMs, windowMs }, jitter);
          expect(afterMs).toBeGreaterThanOrEqual(250);
          expect(afterMs).toBeLessThanOrEqual(LIMITS.maxReturnAfterMs + LIMITS.maxReturnWindowMs);
        },
      ),
      { seed: 4, numRuns: 150 },
    );
  });
});
