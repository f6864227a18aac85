import fc from "fast-check";
import { expect, test } from "vitest";
import { shareInterval } from "../src/index.ts";

test.each([
  // Checked by the score equation, solved by hand: |share - p| = z sqrt(p (1 - p) / n).
  [0.5, 10, 0.2366, 0.7634],
  [0.9, 100, 0.8256, 0.9448],
  [0, 20, 0, 0.1611],
  [1, 20, 0.8389, 1],
])("of %f of %i examples it is from %f to %f", (share, count, lower, upper) => {
  const interval = shareInterval(share, count, 0.95);
  expect(interval.lower).toBeCloseTo(lower, 4);
  expect(interval.upper).toBeCloseTo(upper, 4);
});

test("property: both bounds solve the score equation, and close in with more examples and less confidence", () => {
  const sample = fc.record({
    count: fc.integer({ min: 1, max: 100_000 }),
    hits: fc.double({ min: 0, max: 1, noNaN: true }),
    confidence: fc.double({ min: 0.5, max: 0.999, noNaN: true }),
  });
  fc.assert(
    fc.property(sample, ({ count, hits, confidence }) => {
      const share = Math.round(hits * count) / count;
      const { lower, upper } = shareInterval(share, count, confidence);
      expect(lower).toBeGreaterThanOrEqual(0);
      expect(upper).toBeLessThanOrEqual(1);
      expect(lower).toBeLessThanOrEqual(share);
      expect(upper).toBeGreaterThanOrEqual(share);
      const deviations = [lower, upper]
        .filter((bound) => bound > 1e-9 && bound < 1 - 1e-9)
        .map((bound) => Math.abs(share - bound) / Math.sqrt((bound * (1 - bound)) / count));
      if (deviations.length === 2) expect(deviations[0]).toBeCloseTo(deviations[1]!, 5);
      const surer = shareInterval(share, count, (1 + confidence) / 2);
      expect(surer.upper - surer.lower).toBeGreaterThanOrEqual(upper - lower);
      const more = shareInterval(share, 10 * count, confidence);
      expect(more.upper - more.lower).toBeLessThanOrEqual(upper - lower + 1e-12);
    }),
  );
});

test("what is no share, count or confidence is refused", () => {
  for (const [share, count, confidence] of [
    [1.1, 10, 0.95],
    [Number.NaN, 10, 0.95],
    [0.5, 0, 0.95],
    [0.5, 10, 1],
  ] as const)
    expect(() => shareInterval(share, count, confidence)).toThrow(RangeError);
});
