import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intervalRank, orderOf, pairedRatio } from "../src/dashboard-bench/paired-ratio.ts";

/** Chance that of n coins at most k fall on one side. */
function atMost(n: number, k: number): number {
  let sum = 0;
  let chance = 0.5 ** n;
  for (let i = 0; i <= k; i += 1) {
    sum += chance;
    chance *= (n - i) / (i + 1);
  }
  return sum;
}

describe("the ratio of pairs", () => {
  test("is the median of each pair's own ratio", () => {
    const pairs = [
      { with: 110, without: 100 },
      { with: 204, without: 200 },
      { with: 99, without: 100 },
      { with: 3_060, without: 3_000 },
    ];
    expect(pairedRatio(pairs).median).toBeCloseTo(1.02, 10);
    expect(pairedRatio(pairs.slice(0, 3)).median).toBeCloseTo(1.02, 10);
    expect(pairedRatio([]).median).toBeNaN();
  });

  test("has an interval that leaves out what a textbook's sign test leaves out", () => {
    // Ranks of the 95 % interval of a median: 6 and 15 of 20, 10 and 21 of 30, all of fewer than 9.
    expect([5, 6, 8, 9, 20, 30].map(intervalRank)).toEqual([0, 0, 0, 1, 5, 9]);
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 200 }), (n) => {
        const rank = intervalRank(n);
        expect(2 * atMost(n, rank)).toBeLessThanOrEqual(0.05);
        expect(2 * atMost(n, rank + 1)).toBeGreaterThan(0.05);
      }),
    );
    const pairs = Array.from({ length: 20 }, (_, i) => ({ with: i + 1, without: 1 }));
    expect(pairedRatio(pairs)).toEqual({ median: 10.5, lower: 6, upper: 15 });
  });

  test("does not change with how fast the machine is", () => {
    const pair = fc.record({
      with: fc.integer({ min: 1, max: 9_999 }),
      without: fc.integer({ min: 1, max: 9_999 }),
    });
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1 }), (pairs) => {
        const slower = pairs.map((each, i) => ({
          with: each.with * (1 + (i % 3)),
          without: each.without * (1 + (i % 3)),
        }));
        expect(pairedRatio(slower).median).toBeCloseTo(pairedRatio(pairs).median, 9);
      }),
    );
  });

  test("takes turns in who is first", () => {
    expect([0, 1, 2].map((pair) => orderOf(pair)[0])).toEqual(["without", "with", "without"]);
  });
});
