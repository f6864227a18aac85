import { seededRandom } from "@tributary/core";
import { expect, test } from "vitest";
import { addToHistogram, emptyHistogram, mergeHistograms } from "../../src/quantize/activation-histogram.ts";
import { chooseRange } from "../../src/quantize/activation-range.ts";

const random = seededRandom("calibration");
const normals = (count: number, scale: number): Float32Array =>
  Float32Array.from({ length: count }, () => scale * random.normal());

test("histograms of two devices add up to the histogram of both", () => {
  const [a, b] = [normals(500, 0.3), normals(700, 9)];
  const both = addToHistogram(addToHistogram(emptyHistogram(), a), b);
  const merged = mergeHistograms(addToHistogram(emptyHistogram(), a), addToHistogram(emptyHistogram(), b));
  expect(merged).toEqual(both);
  expect(mergeHistograms(both, emptyHistogram())).toEqual(both);
  expect(both.counts.reduce((sum, count) => sum + count, 0)).toBe(1_200);
});

test("values that are not finite do not spoil a range", () => {
  const histogram = addToHistogram(emptyHistogram(), Float32Array.of(1, Number.NaN, Infinity, -2, -Infinity));
  expect(chooseRange(histogram, "min-max", 100)).toEqual({ min: -2, max: 1 });
});

test("percentile and entropy leave an outlier out, min-max does not", () => {
  const values = normals(100_000, 1);
  values[7] = 80;
  const histogram = addToHistogram(emptyHistogram(), values);
  expect(chooseRange(histogram, "min-max", 99.99).max).toBe(80);
  for (const method of ["percentile", "entropy"] as const) {
    const { min, max } = chooseRange(histogram, method, 99.99);
    expect(max).toBeGreaterThan(2.5);
    expect(max).toBeLessThanOrEqual(8);
    expect(min).toBeLessThan(-2.5);
  }
});

test("a range always holds zero", () => {
  const histogram = addToHistogram(emptyHistogram(), Float32Array.of(3, 4, 5));
  for (const method of ["min-max", "percentile", "entropy"] as const) {
    expect(chooseRange(histogram, method, 99).min).toBe(0);
  }
});
