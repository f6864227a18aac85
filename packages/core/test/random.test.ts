import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom, systemRandom } from "@tributary/core";
import { createInsecureTestRandom } from "@tributary/core/testing";
import { expectGoldenNumbers } from "./golden-numbers.ts";
import { exactLog } from "../src/exact-log.ts";

describe("seeded randomness", () => {
  test("golden values: a seed gives these numbers on every platform, for good", () => {
    expectGoldenNumbers();
  });

  test("the number 1 and the text 1 are different seeds", () => {
    expect(seededRandom(1).next()).not.toBe(seededRandom("1").next());
  });

  test("a fork depends on its label, not on what was drawn before", () => {
    const parent = seededRandom("p");
    const before = parent.fork("x").next();
    parent.next();
    expect(parent.fork("x").next()).toBe(before);
    expect(parent.fork("y").next()).not.toBe(before);
  });

  test("integer is in range and uniform", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.integer(), (below, seed) => {
        const value = seededRandom(seed).integer(below);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(below);
      }),
    );
    const random = seededRandom("chi");
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[random.integer(10)]!++;
    const chiSquared = counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
    // 99.99 % point of chi-squared with 9 degrees of freedom
    expect(chiSquared).toBeLessThan(33.7);
    expect(() => random.integer(0)).toThrow(RangeError);
  });

  test("normal has mean 0, standard deviation 1 and normal tails", () => {
    const random = seededRandom("normal");
    const n = 200_000;
    let [sum, squares, beyond2] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const x = random.normal();
      sum += x;
      squares += x * x;
      if (Math.abs(x) > 2) beyond2++;
    }
    expect(Math.abs(sum / n)).toBeLessThan(0.01);
    expect(Math.abs(squares / n - 1)).toBeLessThan(0.02);
    expect(Math.abs(beyond2 / n - 0.0455)).toBeLessThan(0.003);
  });

  test("shuffle keeps every item", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b);
        expect(sorted(seededRandom(seed).shuffle([...items]))).toEqual(sorted(items));
      }),
    );
  });
});

test("exactLog is the logarithm to the last bit or its neighbour", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
      const expected = Math.log(x);
      expect(Math.abs(exactLog(x) - expected)).toBeLessThanOrEqual(Math.abs(expected) * 2.3e-16);
    }),
    { numRuns: 1000 },
  );
  expect(exactLog(1)).toBe(0);
});

test("secure randomness fills more than one call of the platform can", () => {
  const drawn = systemRandom.bytes(200_000);
  expect(drawn).toHaveLength(200_000);
  expect(drawn.subarray(199_900).some((byte) => byte !== 0)).toBe(true);
  expect(systemRandom.bytes(0)).toHaveLength(0);
});

test("the test stand-in repeats itself", () => {
  expect(createInsecureTestRandom(1).bytes(8)).toEqual(createInsecureTestRandom(1).bytes(8));
  expect(createInsecureTestRandom(1).bytes(8)).not.toEqual(createInsecureTestRandom(2).bytes(8));
});
