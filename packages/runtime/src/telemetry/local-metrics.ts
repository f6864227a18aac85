/** What a page is shown of how its models fare: loaded after the first run. */
import type { Clock } from "@tributary/core";
import type { EngineName } from "@tributary/engine";
import { quantile, TELEMETRY_ENGINES, total, type Histogram } from "@tributary/metrics";
import { readFeedback } from "../feedback/read-feedback.ts";
import { createTelemetryRecorder, type CountedVersion, type RunCounter } from "./recorder.ts";
import type { HistogramView, LatencyView, ModelMetrics } from "./model-metrics.ts";

export interface LocalMetrics extends RunCounter {
  /** @throws `runtime/invalid-feedback` */
  readonly readFeedback: typeof readFeedback;
  read(): readonly ModelMetrics[];
  /** Counts from nothing again. */
  forget(): void;
}

/** Counts from now on, whoever consents to what: nothing of it leaves the device. */
export function createLocalMetrics(options: {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly heapBytes: () => number | undefined;
}): LocalMetrics {
  const recorder = createTelemetryRecorder({ ...options, onFirst: () => {} });
  recorder.setEnabled(true);
  return {
    ran: (state, inference, feeds) => recorder.ran(state, inference, feeds),
    failed: (state, error) => recorder.failed(state, error),
    labelled: (state, examples) => recorder.labelled(state, examples),
    judged: (state, answer, labels) => recorder.judged(state, answer, labels),
    readFeedback,
    read: () => recorder.counted().map(viewOf),
    forget() {
      recorder.setEnabled(false);
      recorder.setEnabled(true);
    },
  };
}

function viewOf({ model, version, counters, histograms }: CountedVersion): ModelMetrics {
  const errors = Object.entries(counters).flatMap(([name, count]) =>
    name.startsWith("errors.") && count > 0 ? [[name.slice("errors.".length), count] as const] : [],
  );
  const latencyMs: Partial<Record<EngineName, LatencyView>> = {};
  for (const engine of TELEMETRY_ENGINES) {
    const counted = histograms[`latency.${engine}`];
    if (counted !== undefined && total(counted) > 0) latencyMs[engine] = latencyOf(counted);
  }
  const { predictions, confidence, labels, throughput, memory } = histograms;
  const { "feedback.answers": answers = 0, "feedback.correct": correct = 0 } = counters;
  const features = Object.entries(histograms).flatMap(([name, counted]) =>
    name.startsWith("features.") && total(counted) > 0
      ? [[name.slice("features.".length), histogramOf(counted)] as const]
      : [],
  );
  return {
    model,
    version,
    runs: counters["runs"] ?? 0,
    errors: Object.fromEntries(errors),
    latencyMs,
    ...(predictions === undefined ? {} : { predictions: classesOf(predictions) }),
    ...(confidence === undefined ? {} : { confidence: histogramOf(confidence) }),
    ...(labels === undefined ? {} : { labels: classesOf(labels) }),
    features: Object.fromEntries(features),
    throughput: histogramOf(throughput!),
    memoryBytes: histogramOf(memory!),
    feedback: {
      answers,
      correct,
      accuracy: answers === 0 ? null : correct / answers,
    },
  };
}

function latencyOf(counted: Histogram): LatencyView {
  const at = (share: number): number => quantile(counted, share)!;
  return {
    count: total(counted),
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    histogram: histogramOf(counted),
  };
}

/** The two outer bins of classes hold nothing. */
function classesOf({ counts }: Histogram): number[] {
  return [...counts.subarray(1, -1)];
}

function histogramOf({ bins, counts }: Histogram): HistogramView {
  return { edges: [...bins.edges], counts: [...counts] };
}
