import {
  addMetrics,
  binCount,
  binOf,
  checkMetrics,
  count,
  counter,
  createHistogram,
  createMetrics,
  histogram,
  LATENCY_BINS,
  linearBins,
  logBins,
  metricSchema,
  observe,
  quantile,
  readMetrics,
  record,
  summarizeTraining,
  total,
  trainingMetrics,
} from "@tributary/metrics";
import { seededRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("bins", () => {
  test("every number has exactly one bin, edges belong above", () => {
    const bins = linearBins({ from: 0, to: 10, count: 5 });
    expect(binCount(bins)).toBe(7);
    expect([-1, 0, 1.99, 2, 9.99, 10, Infinity].map((value) => binOf(bins, value))).toEqual([
      0, 1, 1, 2, 5, 6, 6,
    ]);
    expect(() => binOf(bins, NaN)).toThrow(RangeError);
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const bin = binOf(LATENCY_BINS, value);
        const { edges } = LATENCY_BINS;
        if (bin > 0) expect(value).toBeGreaterThanOrEqual(edges[bin - 1]!);
        if (bin < edges.length) expect(value).toBeLessThan(edges[bin]!);
      }),
    );
  });

  test("log bins cover their range", () => {
    const { edges } = logBins({ from: 1, to: 1000, perDecade: 3 });
    expect(edges).toHaveLength(10);
    expect(edges.at(-1)).toBeCloseTo(1000, 9);
    expect(LATENCY_BINS.edges).toHaveLength(61);
  });

  test("nonsense is refused", () => {
    expect(() => linearBins({ from: 1, to: 1, count: 1 })).toThrow(RangeError);
    expect(() => linearBins({ from: 0, to: 1, count: 0 })).toThrow(RangeError);
    expect(() => logBins({ from: 0, to: 1, perDecade: 1 })).toThrow(RangeError);
  });
});

describe("quantiles", () => {
  test("of latencies are within one bin of the truth", () => {
    const random = seededRandom("latency");
    const values = Array.from({ length: 20_000 }, () => Math.exp(3 + 1.2 * random.normal()));
    const latencies = createHistogram(LATENCY_BINS);
    for (const value of values) observe(latencies, value);
    expect(total(latencies)).toBe(20_000);
    values.sort((a, b) => a - b);
    for (const q of [0.01, 0.25, 0.5, 0.9, 0.99]) {
      const truth = values[Math.floor(q * values.length)]!;
      expect(Math.abs(quantile(latencies, q)! / truth - 1)).toBeLessThan(0.05);
    }
  });

  test("interpolate within linear bins", () => {
    const even = createHistogram(linearBins({ from: 0, to: 100, count: 10 }));
    for (let value = 0; value < 100; value++) observe(even, value);
    for (const q of [0, 0.1, 0.37, 0.5, 1]) expect(quantile(even, q)).toBeCloseTo(100 * q, 9);
  });

  test("have defined ends", () => {
    const bins = linearBins({ from: 0, to: 10, count: 2 });
    expect(quantile(createHistogram(bins), 0.5)).toBeUndefined();
    const outside = createHistogram(bins);
    observe(outside, -5);
    observe(outside, 99);
    expect(quantile(outside, 0)).toBe(0);
    expect(quantile(outside, 1)).toBe(10);
    expect(() => quantile(outside, 1.1)).toThrow(RangeError);
    expect(() => createHistogram(bins, new Float64Array(3))).toThrow(RangeError);
  });

  test("never go down as q goes up", () => {
    const bins = logBins({ from: 1, to: 100, perDecade: 4 });
    const counts = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), {
      minLength: binCount(bins),
      maxLength: binCount(bins),
    });
    fc.assert(
      fc.property(
        counts,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, p, q) => {
          const filled = createHistogram(bins, Float64Array.from(values));
          if (total(filled) === 0) return;
          expect(quantile(filled, Math.min(p, q))!).toBeLessThanOrEqual(
            quantile(filled, Math.max(p, q))! * (1 + 1e-12),
          );
        },
      ),
    );
  });
});

describe("a schema", () => {
  const schema = metricSchema({
    examples: counter,
    latencyMs: histogram(linearBins({ from: 0, to: 4, count: 2 })),
    errors: counter,
  });

  test("lays its metrics out in order", () => {
    const vector = createMetrics(schema);
    count(schema, vector, "examples", 5);
    count(schema, vector, "errors");
    record(schema, vector, "latencyMs", 1);
    record(schema, vector, "latencyMs", 9);
    expect([...vector]).toEqual([5, 0, 1, 0, 1, 1]);
    const { counters, histograms } = readMetrics(schema, vector);
    expect(counters).toEqual({ examples: 5, errors: 1 });
    expect([...histograms.latencyMs.counts]).toEqual([0, 1, 0, 1]);
  });

  test("the sum of vectors reads as the events of all devices", () => {
    const events = fc.array(fc.array(fc.double({ min: -1, max: 5, noNaN: true }), { maxLength: 20 }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(events, (devices) => {
        const sum = createMetrics(schema);
        const together = createMetrics(schema);
        for (const values of devices) {
          const own = createMetrics(schema);
          for (const value of values) {
            for (const vector of [own, together]) {
              record(schema, vector, "latencyMs", value);
              count(schema, vector, "examples");
            }
          }
          addMetrics(sum, own);
        }
        expect(sum).toEqual(together);
      }),
    );
  });

  test("vectors from outside are checked", () => {
    expect(checkMetrics(schema, [1, 0, 0, 0, 0, 2])).toEqual(new Float64Array([1, 0, 0, 0, 0, 2]));
    for (const bad of [[1], [1, 0, 0, 0, 0, NaN], [1, 0, 0, -1, 0, 0], [Infinity, 0, 0, 0, 0, 0]]) {
      expect(() => checkMetrics(schema, bad)).toThrow(
        expect.objectContaining({ code: "update/invalid-metrics" }),
      );
    }
    expect(() => addMetrics(createMetrics(schema), new Float64Array(2))).toThrow(RangeError);
    expect(() => readMetrics(schema, new Float64Array(2))).toThrow(RangeError);
  });
});

test("training metrics: the sum over devices gives means over examples, not over devices", () => {
  // Flower's weighted_loss_avg: (1, 2.0), (2, 1.0), (1, 2.0) -> 1.5
  const sum = createMetrics(trainingMetrics);
  for (const [examples, loss] of [
    [1, 2],
    [2, 1],
    [1, 2],
  ] as const) {
    const own = createMetrics(trainingMetrics);
    count(trainingMetrics, own, "examples", examples);
    count(trainingMetrics, own, "lossSum", examples * loss);
    count(trainingMetrics, own, "correct", 1);
    count(trainingMetrics, own, "steps", 2);
    addMetrics(sum, own);
  }
  expect(trainingMetrics.length).toBe(4);
  expect(summarizeTraining(sum)).toEqual({ loss: 1.5, accuracy: 0.75, examples: 4, steps: 6 });
  expect(summarizeTraining(createMetrics(trainingMetrics))).toEqual({
    loss: null,
    accuracy: null,
    examples: 0,
    steps: 0,
  });
});
