import { expect, test } from "vitest";
import { toOpenTelemetry, type OtlpMetric } from "../../src/opentelemetry/index.ts";
import type { ModelMetrics } from "../../src/telemetry/model-metrics.ts";

const none = { edges: [1, 2], counts: [0, 0, 0] };
const model: ModelMetrics = {
  model: "digits",
  version: 3,
  runs: 7,
  errors: { "engine/run-failed": 2 },
  latencyMs: {
    "ort-wasm": { count: 7, p50: 2, p95: 3, p99: 3, histogram: { edges: [1, 10], counts: [0, 6, 1] } },
  },
  predictions: [0, 7],
  confidence: { edges: [0, 1], counts: [0, 7, 0] },
  features: { "image.mean": { edges: [0.5], counts: [3, 4] } },
  throughput: { edges: [1, 10], counts: [0, 2, 0] },
  memoryBytes: none,
  feedback: { answers: 4, correct: 3, accuracy: 0.75 },
};

test("metrics are OTLP/JSON, with the units and attributes of the semantic conventions", () => {
  const startedAt = Date.UTC(2026, 0, 1);
  const written = toOpenTelemetry(
    { startedAt, models: [model], heapBytes: 5e6 },
    { serviceName: "pad", resource: { "service.version": "2" }, at: startedAt + 1.5 },
  );
  // It is what is sent.
  expect(JSON.parse(JSON.stringify(written))).toEqual(written);
  const [{ resource, scopeMetrics }] = written.resourceMetrics;
  expect(resource.attributes).toEqual([
    { key: "service.name", value: { stringValue: "pad" } },
    { key: "service.version", value: { stringValue: "2" } },
  ]);
  const [{ metrics }] = scopeMetrics;
  expect(metrics.map(({ name, unit }) => `${name} ${unit}`)).toEqual([
    "tributary.inference.calls {call}",
    "tributary.inference.duration s",
    "tributary.inference.throughput {example}/s",
    "tributary.inference.predictions {example}",
    "tributary.inference.confidence 1",
    "tributary.inference.feature 1",
    "tributary.feedback.answers {answer}",
    "tributary.engine.memory.usage By",
  ]);
  const named = (name: string): OtlpMetric => metrics.find((each) => each.name === `tributary.${name}`)!;
  const ofModel = [
    { key: "tributary.model.name", value: { stringValue: "digits" } },
    { key: "tributary.model.version", value: { intValue: "3" } },
  ];
  const times = { startTimeUnixNano: "1767225600000000000", timeUnixNano: "1767225600002000000" };
  expect(named("inference.calls")).toMatchObject({
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [
        { ...times, attributes: ofModel, asInt: "7" },
        {
          ...times,
          attributes: [...ofModel, { key: "error.type", value: { stringValue: "engine/run-failed" } }],
          asInt: "2",
        },
      ],
    },
  });
  expect(named("inference.duration")).toMatchObject({
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [{ count: "7", bucketCounts: ["0", "6", "1"], explicitBounds: [0.001, 0.01] }],
    },
  });
  expect(named("feedback.answers")).toMatchObject({
    sum: { dataPoints: [{ asInt: "3" }, { asInt: "1" }] },
  });
  expect(named("engine.memory.usage")).toMatchObject({
    sum: { isMonotonic: false, dataPoints: [{ asInt: "5000000", attributes: [] }] },
  });
});

test("a runtime in which nothing ran has nothing to tell", () => {
  const [{ scopeMetrics }] = toOpenTelemetry(
    { startedAt: 0, models: [] },
    { serviceName: "pad" },
  ).resourceMetrics;
  expect(scopeMetrics[0].metrics).toEqual([]);
});
