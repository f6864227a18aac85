import { seededRandom } from "@tributary/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { addToHistogram, emptyHistogram } from "../../src/quantize/activation-histogram.ts";
import { chosenRanges, keptActivations, quantilesOf } from "../../src/quantize/kept-ranges.ts";
import { scaleOf } from "../../src/quantize/quantize-tensor.ts";

const histogramOf = (values: readonly number[]) =>
  addToHistogram(emptyHistogram(), Float32Array.from(values));

test("as many values lie below each quantile as its share says", () => {
  const random = seededRandom("quantiles");
  const values = Array.from({ length: 4_000 }, () => 3 + random.normal());
  const quantiles = quantilesOf(histogramOf(values));
  expect(quantiles).toHaveLength(17);
  expect(quantiles).toEqual(quantiles.toSorted((a, b) => a - b));
  for (const [share, quantile] of quantiles.entries()) {
    const below = values.filter((value) => value < quantile).length;
    expect(Math.abs(below / values.length - share / 16)).toBeLessThan(0.01);
  }
});

test("what is mostly zero stays so, and what nothing was seen of is zero", () => {
  const values = [...Array.from({ length: 90 }, () => 0), 0.5, 0.5, ...Array.from({ length: 8 }, () => 1)];
  const quantiles = quantilesOf(histogramOf(values));
  expect(quantiles.slice(0, 15)).toEqual(Array.from({ length: 15 }, () => 0));
  expect(quantiles.at(-1)).toBe(1);
  expect(new Set(quantilesOf(emptyHistogram()))).toEqual(new Set([0]));
});

/** A scale as calibration makes it. */
const scaleFor = (min: number, max: number) => {
  const { scale, zeroPoint } = scaleOf({ min, max }, { type: "uint8", symmetric: false });
  return { scales: [scale], zeroPoints: [zeroPoint] };
};

test("a scale stays while what is seen fits it, and is made anew where it does not", () => {
  const frozen = {
    fits: scaleFor(-1, 3),
    beyond: scaleFor(-1, 3),
    unused: scaleFor(-1, 3),
    unseen: scaleFor(0, 2),
  };
  const seen = chosenRanges(
    new Map([
      ["fits", histogramOf([-1.1, 3.1])],
      ["beyond", histogramOf([-1, 4])],
      ["unused", histogramOf([-0.2, 1.5])],
    ]),
  );
  const kept = keptActivations(frozen, seen);
  expect(kept).toEqual({
    ...frozen,
    beyond: scaleFor(-1, 4),
    unused: scaleFor(Math.fround(-0.2), 1.5),
  });
  // Once more, nothing changes.
  expect(keptActivations(kept, seen)).toEqual(kept);
});

test("whatever is seen, the scales that are kept hold it, nearly, and are no more than twice too wide", () => {
  const bound = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(bound, bound, bound, bound, (low, high, seenLow, seenHigh) => {
      fc.pre(seenLow + seenHigh > 1e-3 && low + high > 1e-3);
      const range = { min: -seenLow, max: seenHigh };
      const { a } = keptActivations({ a: scaleFor(-low, high) }, new Map([["a", range]]));
      const [step, zero] = [a!.scales[0]!, a!.zeroPoints[0]!];
      const span = 255 * step;
      expect(-zero * step - 0.06 * span).toBeLessThanOrEqual(range.min);
      expect((255 - zero) * step + 0.06 * span).toBeGreaterThanOrEqual(range.max);
      expect(range.max - range.min).toBeGreaterThanOrEqual(0.49 * span);
    }),
  );
});
