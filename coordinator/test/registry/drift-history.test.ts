import { asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { classBins, CONFIDENCE_BINS } from "@tributary/metrics";
import { DriftHistory, parseDocument, type MetricDocument } from "@tributary/protocol";
import { expect, test } from "vitest";
import type { MeasurementRecord } from "../../src/ports/task-records.ts";
import { driftHistory } from "../../src/registry/drift-history.ts";
import { exampleModel } from "../../src/testing/index.ts";

const bounds = { values: "integer", minimum: 0, maximum: 1_000 } as const;
const METRICS: readonly MetricDocument[] = [
  { name: "runs", kind: "counter", ...bounds },
  { name: "predictions", kind: "histogram", ...bounds, ...classBins(2) },
  { name: "confidence", kind: "histogram", ...bounds, ...CONFIDENCE_BINS },
] as unknown as readonly MetricDocument[];

/** A measurement with so many predictions of the two classes, all of them confident. */
function measured(number: number, [a, b]: readonly [number, number]): MeasurementRecord {
  const confidence = Array.from({ length: CONFIDENCE_BINS.edges.length + 1 }, () => 0);
  confidence[10] = a + b;
  return {
    roundId: asRoundId(`watch-${number}`),
    task: asTaskName("watch"),
    model: exampleModel().name,
    purpose: "telemetry",
    version: asModelVersion(number),
    candidate: null,
    devices: 20,
    metrics: METRICS,
    sums: [a + b, 0, a, b, 0, ...confidence],
    confidence: 0.95,
    at: Date.UTC(2026, 10, number),
  };
}

const task = { name: asTaskName("watch"), model: exampleModel() };

test("the history of each histogram, newest first, the one that drifted most first", () => {
  const records = [measured(3, [900, 100]), measured(2, [490, 510]), measured(1, [500, 500])];
  const history = driftHistory(task, records, { dataset: undefined, first: records[2] });
  expect(() => parseDocument("drift", DriftHistory, { ...history, next: null })).not.toThrow();
  expect(history.reference).toEqual({
    hasDataset: false,
    first: { roundId: "watch-1", version: 1, at: "2026-11-01T00:00:00.000Z" },
  });
  expect(history.measurements.map(({ version }) => version)).toEqual([3, 2, 1]);
  expect(history.metrics.map(({ name, subject }) => [name, subject])).toEqual([
    ["predictions", "prediction"],
    ["confidence", "confidence"],
  ]);
  const [predictions] = history.metrics;
  // The first has nothing to be compared with.
  expect(predictions!.history.map((point) => point?.beyondNoise ?? null)).toEqual([true, false, null]);
  expect(predictions!.history[0]!.psi).toBeGreaterThan(history.levels.much);
  expect(predictions!.latest.psi).toBe(predictions!.history[0]!.psi);
  expect(predictions!.histogram).toMatchObject({
    classes: ["0", "1"],
    reference: [0, 500, 500, 0],
    now: [0, 900, 100, 0],
  });
});

test("what the newest did not measure any more is shown as it was last measured", () => {
  const newest = { ...measured(3, [500, 500]), metrics: METRICS.slice(0, 2), sums: [1_000, 0, 500, 500, 0] };
  const records = [newest, measured(2, [490, 510]), measured(1, [500, 500])];
  const { metrics } = driftHistory(task, records, { dataset: undefined, first: records[2] });
  const confidence = metrics.find(({ name }) => name === "confidence")!;
  // The first has nothing to be compared with.
  expect(confidence.history.map((point) => point === null)).toEqual([true, false, true]);
  expect(confidence.latest.metric).toBe("confidence");
});

test("with the data set as reference the first is compared too; without any measurement there is nothing", () => {
  const records = [measured(1, [100, 100])];
  const dataset = { counts: { predictions: [0, 100, 100, 0] } } as never;
  const history = driftHistory(task, records, { dataset, first: records[0] });
  expect(history.reference.hasDataset).toBe(true);
  expect(history.metrics.map(({ name }) => name)).toEqual(["predictions"]);
  expect(history.metrics[0]!.history).toEqual([expect.objectContaining({ psi: 0, beyondNoise: false })]);
  expect(driftHistory(task, [], { dataset: undefined, first: undefined })).toMatchObject({
    measurements: [],
    metrics: [],
    reference: { first: null },
  });
});
