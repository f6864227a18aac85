import { failure } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { metricSchemaOf } from "@tributary/federation";
import { readMetrics, telemetrySpecs, type Histogram, type TelemetryName } from "@tributary/metrics";
import { TELEMETRY_GROUPS, type MetricDocument } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import type { Inference, ModelState } from "../../src/runtime.ts";
import { createTelemetryRecorder, type TelemetryRecorder } from "../../src/telemetry/recorder.ts";

const CLASSES = 3;

function stateOf(version: number): ModelState {
  return {
    model: "digits",
    channel: "stable",
    version,
    engine: "ort-node",
    variant: "int8-weights",
    inputs: [{ name: "image", dtype: "float32", shape: [-1, 4] }],
    outputs: [{ name: "logits", dtype: "float32", shape: [-1, CLASSES] }],
  };
}

function inferenceOf(...rows: readonly (readonly number[])[]): Inference {
  return {
    version: 1,
    outputs: {},
    probabilities: Float32Array.from(rows.flat()),
    classes: rows.map((row) => row.indexOf(Math.max(...row))),
    top: [],
    durationMs: 2,
  };
}

/** As a plan of the coordinator's asks for them. */
function metricsOf(groups: readonly TelemetryName[] = TELEMETRY_GROUPS): MetricDocument[] {
  return Object.entries(telemetrySpecs(groups, { classes: CLASSES, inputs: stateOf(1).inputs })).map(
    ([name, spec]): MetricDocument => {
      if (spec.kind === "counter") {
        return { name, kind: "counter", values: "integer", minimum: 0, maximum: 1000 };
      }
      return { name, kind: "histogram", edges: spec.bins.edges, spacing: spec.bins.spacing, maximum: 1000 };
    },
  );
}

function read(recorder: TelemetryRecorder, version: number, metrics = metricsOf()) {
  const { counters, histograms } = readMetrics(
    metricSchemaOf(metrics),
    recorder.read("digits", version, metrics),
  );
  return {
    counters: counters as Readonly<Record<string, number>>,
    histograms: histograms as Readonly<Record<string, Histogram>>,
  };
}

function recorderOf() {
  let told = 0;
  const clock = createVirtualClock();
  const recorder = createTelemetryRecorder({ clock, heapBytes: () => 5e6, onFirst: () => (told += 1) });
  recorder.setEnabled(true);
  const run = (version: number, ...rows: readonly (readonly number[])[]) =>
    recorder.ran(stateOf(version), inferenceOf(...rows), {
      image: tensor("float32", [rows.length, 4], new Float32Array(4 * rows.length).fill(0.5)),
    });
  return { recorder, run, clock, told: () => told };
}

describe("telemetry on a device", () => {
  test("counts runs, answers, confidence, errors and labels of each version apart", () => {
    const { recorder, run, told } = recorderOf();
    run(1, [0.1, 0.85, 0.05], [0.2, 0.2, 0.6]);
    run(2, [1, 0, 0]);
    recorder.failed(stateOf(1), failure("engine/run-failed", "no memory"));
    recorder.failed(stateOf(1), new Error("else"));
    recorder.labelled(stateOf(1), [
      { inputs: [], label: 2 },
      { inputs: [], label: Float32Array.of(1) },
    ]);
    const first = read(recorder, 1);
    expect(first.counters).toMatchObject({ runs: 1, "errors.engine/run-failed": 1, "errors.other": 1 });
    expect([...first.histograms["predictions"]!.counts]).toEqual([0, 0, 1, 1, 0]);
    expect([...first.histograms["labels"]!.counts]).toEqual([0, 0, 0, 1, 0]);
    expect(first.histograms["confidence"]!.counts.reduce((a, b) => a + b)).toBe(2);
    expect(first.histograms["latency.ort-node"]!.counts.reduce((a, b) => a + b)).toBe(1);
    expect(read(recorder, 2).counters["runs"]).toBe(1);
    expect(read(recorder, 3).counters["runs"]).toBe(0);
    // Asked for less, it tells less.
    expect(Object.keys(read(recorder, 1, metricsOf(["confidence"])).histograms)).toEqual(["confidence"]);
    expect(told()).toBe(1);
  });

  test("tells nothing twice, and keeps what came meanwhile", () => {
    const { recorder, run } = recorderOf();
    run(1, [1, 0, 0]);
    const metrics = metricsOf();
    const given = recorder.read("digits", 1, metrics);
    run(1, [0, 0, 1]);
    recorder.spend("digits", 1, metrics, given);
    const left = read(recorder, 1);
    expect(left.counters["runs"]).toBe(1);
    expect([...left.histograms["predictions"]!.counts]).toEqual([0, 0, 0, 1, 0]);
    recorder.spend("digits", 1, metrics, recorder.read("digits", 1, metrics));
    expect(recorder.hasCounts("digits")).toBe(false);
  });

  test("counts nothing without consent, and forgets when it is withdrawn", () => {
    const { recorder, run } = recorderOf();
    run(1, [1, 0, 0]);
    recorder.setEnabled(false);
    expect(recorder.hasCounts("digits")).toBe(false);
    run(1, [1, 0, 0]);
    recorder.labelled(stateOf(1), [{ inputs: [], label: 2 }]);
    recorder.setEnabled(true);
    expect(recorder.hasCounts("digits")).toBe(false);
  });

  test("remembers a bounded number of versions, the last that ran", () => {
    const { recorder, run } = recorderOf();
    for (let version = 1; version <= 12; version++) {
      run(version, [1, 0, 0]);
      run(1, [1, 0, 0]);
    }
    const kept = Array.from({ length: 12 }, (_, i) => read(recorder, i + 1).counters["runs"]);
    expect(kept).toEqual([13, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
  });

  test("counts what it was fed, in the bins of the plan that came first", () => {
    const { recorder, run } = recorderOf();
    const edges = [0, 0.4, 0.6, 1];
    const planned = (between: readonly number[]): MetricDocument[] =>
      metricsOf(["features"]).map((metric) =>
        metric.name === "features.image.2" && metric.kind === "histogram"
          ? { ...metric, edges: between }
          : metric,
      );
    run(1, [1, 0, 0]);
    expect(read(recorder, 1).histograms["features.image.0"]!.counts.reduce((a, b) => a + b)).toBe(1);
    recorder.follow("first", "digits", planned(edges));
    // In other bins than before: forgotten. What has the same stays.
    expect([...read(recorder, 1, planned(edges)).histograms["features.image.2"]!.counts]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    expect(read(recorder, 1, metricsOf(["predictions"])).counters["runs"]).toBe(1);
    recorder.follow("second", "digits", planned([0, 1]));
    run(1, [1, 0, 0], [0, 1, 0]);
    expect([...read(recorder, 1, planned(edges)).histograms["features.image.2"]!.counts]).toEqual([
      0, 0, 2, 0, 0,
    ]);
    expect(() => recorder.read("digits", 1, planned([0, 1]))).toThrow(/other bins/);
  });

  test("counts what it answers a second, and the memory that this takes", () => {
    const { recorder, run, clock } = recorderOf();
    for (let second = 0; second < 2; second++) {
      run(1, [1, 0, 0]);
      run(1, [1, 0, 0], [0, 1, 0]);
      clock.advance(1000);
    }
    clock.advance(60_000);
    const { throughput, memory } = read(recorder, 1).histograms;
    // Three examples in each of two seconds: 10^(1/4) <= 3 < 10^(2/4).
    expect(throughput!.counts[2]).toBe(2);
    expect(throughput!.counts.reduce((a, b) => a + b)).toBe(2);
    expect(memory!.counts.reduce((a, b) => a + b)).toBe(2);
  });

  test("counts how often it was right, of the version that answered", () => {
    const { recorder, run } = recorderOf();
    run(2, [1, 0, 0]);
    recorder.judged(stateOf(2), { version: 1, classes: [2, 0] }, [2, 1]);
    recorder.judged(stateOf(2), { version: 2, classes: [0] }, [0]);
    expect(read(recorder, 1).counters).toMatchObject({
      runs: 0,
      "feedback.answers": 2,
      "feedback.correct": 1,
    });
    expect(read(recorder, 2).counters).toMatchObject({
      runs: 1,
      "feedback.answers": 1,
      "feedback.correct": 1,
    });
  });

  test("refuses a plan that asks for other bins", () => {
    const { recorder, run } = recorderOf();
    run(1, [1, 0, 0]);
    const other = metricsOf().map((metric) =>
      metric.name === "confidence" && metric.kind === "histogram"
        ? { ...metric, edges: [0, 0.5, 1] }
        : metric,
    );
    expect(() => recorder.read("digits", 1, other)).toThrow(
      expect.objectContaining({ code: "federation/plan-refused" }),
    );
  });
});
