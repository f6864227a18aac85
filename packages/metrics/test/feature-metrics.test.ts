import {
  binCount,
  binOf,
  createHistogram,
  FEATURE_BINS,
  featuresOf,
  observe,
  quantileBins,
  readFeatures,
  telemetrySpecs,
} from "@tributary/metrics";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const input = (name: string, shape: readonly number[], dtype = "float32") => ({ name, dtype, shape });

describe("features of a model's inputs", () => {
  test("are its values where they are few, else mean and deviation", () => {
    const metrics = featuresOf([
      input("age", [-1, 1]),
      input("rooms", [-1, 3], "int64"),
      input("image", [-1, 1, 28, 28]),
      input("ids", [-1, -1], "int32"),
      input("half", [-1, 4], "float16"),
    ]).map(({ metric }) => metric);
    expect(metrics).toEqual([
      "features.age",
      "features.rooms.0",
      "features.rooms.1",
      "features.rooms.2",
      "features.image.mean",
      "features.image.deviation",
      "features.ids.mean",
      "features.ids.deviation",
    ]);
  });

  test("have names that a plan may have, and are bounded in number", () => {
    expect(featuresOf([input("serving_default_x:0", [-1, 2])]).map(({ metric }) => metric)).toEqual([
      "features.0.0",
      "features.0.1",
    ]);
    const many = Array.from({ length: 100 }, (_, i) => input(`x${i}`, [-1, 16]));
    expect(featuresOf(many)).toHaveLength(64);
    expect(Object.keys(telemetrySpecs(["features"], { classes: 0, inputs: many }))).toHaveLength(65);
  });

  test("are read row by row", () => {
    const read = (
      values: readonly (number | "mean" | "deviation")[],
      data: ArrayLike<number | bigint>,
      row = 0,
    ) => {
      const told: number[] = [];
      const features = values.map((value) => ({ metric: "features.x", input: "x", value }));
      readFeatures(features, data, { row, width: data.length / 2 }, (_, value) => told.push(value));
      return told;
    };
    const data = [1, 2, 3, 10, 10, 10];
    expect(read([1, 7, "mean"], data, 1)).toEqual([10, NaN, 10]);
    const [mean, deviation] = read(["mean", "deviation"], data);
    expect(mean).toBe(2);
    expect(deviation).toBeCloseTo(Math.sqrt(2 / 3), 12);
    expect(read([0, "mean"], BigInt64Array.of(-4n, 7n), 1)).toEqual([7, 7]);
    expect(read(["mean", "deviation"], [])).toEqual([NaN, NaN]);
  });

  test("of long examples are those of some of their values", () => {
    const long = Float32Array.from({ length: 100_000 }, (_, i) => 1000 + (i % 2));
    const told: number[] = [];
    const features = (["mean", "deviation"] as const).map((value) => ({ metric: "m", input: "x", value }));
    readFeatures(features, long, { row: 0, width: long.length }, (_, value) => told.push(value));
    expect(told[0]).toBeCloseTo(1000.5, 1);
    expect(told[1]).toBeCloseTo(0.5, 2);
  });

  test("have bins for any value", () => {
    expect(binCount(FEATURE_BINS)).toBe(45);
    expect(binOf(FEATURE_BINS, 0)).toBe(22);
    for (const [i, edge] of FEATURE_BINS.edges.entries())
      if (i > 0) expect(edge).toBeGreaterThan(FEATURE_BINS.edges[i - 1]!);
  });
});

describe("bins of a reference", () => {
  test("hold equal shares of it, and nothing of it lies outside", () => {
    const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 50);
    const bins = quantileBins(values);
    const histogram = createHistogram(bins);
    for (const value of values) observe(histogram, value);
    expect(bins.edges).toHaveLength(11);
    expect(histogram.counts[0]).toBe(0);
    expect(histogram.counts.at(-1)).toBe(0);
    for (const count of histogram.counts.subarray(1, -1)) expect(Math.abs(count - 100)).toBeLessThan(3);
  });

  test("are one a value where there are few", () => {
    const bins = quantileBins([0, 1, 1, 0, 1, 0, 0, 1, 0]);
    expect([-1, 0, 0.5, 1, 2].map((value) => binOf(bins, value))).toEqual([0, 1, 1, 2, 3]);
    expect(quantileBins([])).toBe(FEATURE_BINS);
  });

  test("ascend, whatever the values", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1 }), (values) => {
        const { edges } = quantileBins(values);
        for (const [i, edge] of edges.entries()) if (i > 0) expect(edge).toBeGreaterThan(edges[i - 1]!);
        expect(edges.length).toBeLessThanOrEqual(12);
        for (const value of values) {
          expect(value).toBeGreaterThanOrEqual(edges[0]!);
          expect(value).toBeLessThan(edges.at(-1)!);
        }
      }),
    );
  });
});
