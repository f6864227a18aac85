import fc from "fast-check";
import { expect, test } from "vitest";
import { adjustedByHolm, shareDifference } from "../src/index.ts";

test("the interval is Newcombe's, on his own examples", () => {
  // 56/70 and 48/80, "Interval estimation for the difference", Table II, method 10: 0.0524 to 0.3339.
  const found = shareDifference({ share: 48 / 80, count: 80 }, { share: 56 / 70, count: 70 }, 0.95);
  expect(found.difference).toBeCloseTo(0.2, 10);
  expect(found.lower).toBeCloseTo(0.0524, 4);
  expect(found.upper).toBeCloseTo(0.3339, 4);
  // 10/10 and 0/10: 0.6075 to 1.
  const extreme = shareDifference({ share: 0, count: 10 }, { share: 1, count: 10 }, 0.95);
  expect(extreme.lower).toBeCloseTo(0.6075, 4);
  expect(extreme.upper).toBe(1);
});

test("the test is the chi-squared test of a table of two by two", () => {
  // n (ad - bc)^2 over the margins; with one degree of freedom p is erfc(sqrt(chi / 2)).
  const [a, b, c, d] = [48, 32, 56, 14];
  const n = a + b + c + d;
  const chi = (n * (a * d - b * c) ** 2) / ((a + b) * (c + d) * (a + c) * (b + d));
  const { p } = shareDifference(
    { share: a / (a + b), count: a + b },
    { share: c / (c + d), count: c + d },
    0.95,
  );
  expect(chi).toBeCloseTo(7.023411, 6);
  expect(p).toBeCloseTo(0.008045081, 7);
});

test("it turns its sign with the order, and holds the difference", () => {
  const share = fc.record({ hits: fc.nat(50), more: fc.nat(50) }).map(({ hits, more }) => {
    const count = Math.max(1, hits + more);
    return { share: Math.min(1, hits / count), count };
  });
  fc.assert(
    fc.property(share, share, (first, second) => {
      const one = shareDifference(first, second, 0.95);
      const other = shareDifference(second, first, 0.95);
      expect(other.difference).toBeCloseTo(-one.difference, 12);
      expect(other.lower).toBeCloseTo(-one.upper, 9);
      expect(other.p).toBeCloseTo(one.p, 9);
      expect(one.lower).toBeLessThanOrEqual(one.difference);
      expect(one.upper).toBeGreaterThanOrEqual(one.difference);
    }),
  );
});

test("Holm's adjustment keeps the order, and is never below the value or above Bonferroni's", () => {
  expect(adjustedByHolm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(adjustedByHolm([])).toEqual([]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 15 }), (values) => {
      const adjusted = adjustedByHolm(values);
      for (const [i, value] of values.entries()) {
        expect(adjusted[i]).toBeGreaterThanOrEqual(value);
        expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, value * values.length) + 1e-12);
        for (const [j, other] of values.entries())
          if (value < other) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]!);
      }
    }),
  );
});
