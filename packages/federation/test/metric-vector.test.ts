import { systemRandom } from "@tributary/core";
import { addMetrics, createMetrics, readMetrics } from "@tributary/metrics";
import type { MetricDocument } from "@tributary/protocol";
import { addVector, decodeSum, encodeContribution, planEncoding } from "@tributary/secagg";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  boundMetrics,
  fromMetricSegments,
  metricEncoding,
  metricSchemaOf,
  requireMetrics,
  requireMetricSegments,
  toMetricSegments,
} from "../src/index.ts";

const METRICS: readonly MetricDocument[] = [
  { name: "examples", kind: "counter", values: "integer", minimum: 0, maximum: 600 },
  { name: "difference", kind: "counter", values: "real", minimum: -6000, maximum: 6000 },
  { name: "latency", kind: "histogram", edges: [1, 10, 100], spacing: "log", maximum: 50 },
  // 47 bits: more than a ring has.
  { name: "products", kind: "counter", values: "fixed", minimum: -3.6e10, maximum: 3.6e10, step: 2 ** -10 },
];
const CLIENTS = 40;
const schema = metricSchemaOf(METRICS);

const vector = fc
  .tuple(
    fc.double({ min: -10, max: 1000, noNaN: true }),
    fc.double({ min: -1e5, max: 1e5, noNaN: true }),
    fc.array(fc.integer({ min: 0, max: 80 }), { minLength: 4, maxLength: 4 }),
    fc.oneof(fc.double({ min: -4e10, max: 4e10, noNaN: true }), fc.double({ min: -9, max: 9, noNaN: true })),
  )
  .map(([examples, difference, bins, products]) =>
    boundMetrics(METRICS, Float64Array.of(examples, difference, ...bins, products)),
  );

test("a sum under masks is the sum in the clear: whole numbers exactly, reals within their rounding", () => {
  const plan = planEncoding(metricEncoding(METRICS, CLIENTS));
  requireMetricSegments(METRICS, plan.spec.segments);
  const { segments } = plan.spec;
  const { step } = plan.segments[1]!;
  fc.assert(
    fc.property(fc.array(vector, { minLength: 1, maxLength: CLIENTS }), (vectors) => {
      const codes = new Uint32Array(plan.vectorLength);
      const clear = createMetrics(schema);
      for (const each of vectors) {
        const values = toMetricSegments(METRICS, segments, each);
        addVector(codes, encodeContribution(plan, { weight: 1, values }, systemRandom).vector.spend());
        addMetrics(clear, requireMetrics(METRICS, each));
      }
      const decoded = decodeSum(plan, codes, vectors.length);
      const sum = fromMetricSegments(METRICS, segments, decoded, vectors.length);
      expect(sum[0]).toBe(clear[0]);
      expect(Math.abs(sum[1]! - clear[1]!)).toBeLessThanOrEqual(vectors.length * step);
      expect([...sum.subarray(2, 6)]).toEqual([...clear.subarray(2, 6)]);
      const digits = vectors.length * 2 ** -11 + Math.abs(clear[6]!) * 1e-12;
      expect(Math.abs(sum[6]! - clear[6]!)).toBeLessThanOrEqual(digits);
    }),
    { seed: 30, numRuns: 40 },
  );
  // 6000 / 2^26 for 40 members: what one example can say is told to a thousandth of a bin of losses.
  expect(step).toBeLessThan(2e-4);
});

describe("a vector in the clear", () => {
  test("is read by name", () => {
    const reading = readMetrics(schema, requireMetrics(METRICS, [10, -2.5, 1, 2, 3, 4, -9]));
    expect(reading.counters).toEqual({ examples: 10, difference: -2.5, products: -9 });
    expect([...(reading.histograms as Record<string, { counts: Float64Array }>)["latency"]!.counts]).toEqual([
      1, 2, 3, 4,
    ]);
  });

  test.each([
    ["too short", [1, 0, 0, 0, 0, 0]],
    ["beyond a maximum", [601, 0, 0, 0, 0, 0, 0]],
    ["below a minimum", [1, -6001, 0, 0, 0, 0, 0]],
    ["no whole number", [1.5, 0, 0, 0, 0, 0, 0]],
    ["negative where nothing is", [1, 0, -1, 0, 0, 0, 0]],
    ["beyond a fixed-point bound", [1, 0, 0, 0, 0, 0, 4e10]],
    ["beyond a bin's maximum", [1, 0, 51, 0, 0, 0, 0]],
    ["no number", [1, Number.NaN, 0, 0, 0, 0, 0]],
  ])("that is %s is refused", (_, values) => {
    expect(() => requireMetrics(METRICS, values)).toThrow(
      expect.objectContaining({ code: "update/invalid-metrics" }),
    );
  });

  test("of other segments than the plan's metrics is no plan", () => {
    const { segments } = metricEncoding(METRICS, CLIENTS);
    for (const other of [
      segments.slice(1),
      segments.toReversed(),
      [{ ...segments[0]!, name: "x" }, ...segments.slice(1)],
      segments.with(3, { ...segments[3]!, count: 1 }),
    ]) {
      expect(() => requireMetricSegments(METRICS, other)).toThrow(
        expect.objectContaining({ code: "federation/plan-refused" }),
      );
    }
  });
});
