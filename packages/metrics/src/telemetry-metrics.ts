import { linearBins, logBins, type Bins } from "./bins.ts";
import { counter, histogram, type MetricSpec } from "./schema.ts";

// What a device counts of a version that it runs. Fixed here, so that what devices recorded fits any plan that asks for it.

/** Time in the engine of one run: 0.1 ms to 100 s, five bins per decade. */
export const RUN_LATENCY_BINS: Bins = logBins({ from: 0.1, to: 100_000, perDecade: 5 });
/** Largest probability of an answer. */
export const CONFIDENCE_BINS: Bins = linearBins({ from: 0, to: 1, count: 20 });

/** Engines that runs are told apart by. */
export const TELEMETRY_ENGINES = ["ort-wasm", "ort-webgpu", "ort-node"] as const;
/** Errors that are told by their code; any other is `other`. */
export const TELEMETRY_ERRORS = [
  "engine/run-failed",
  "engine/input-mismatch",
  "engine/missing-input",
  "engine/unknown-input",
  "engine/unavailable",
  "engine/load-failed",
  "runtime/worker-lost",
  "other",
] as const;

/** Of models with more classes, predictions and labels are not counted. */
export const MAX_TELEMETRY_CLASSES = 1024;

export type TelemetryName = "latency" | "errors" | "predictions" | "confidence" | "labels";

/** One bin a class: class c counts in bin c + 1. */
export function classBins(classes: number): Bins {
  return linearBins({ from: 0, to: classes, count: classes });
}

/**
 * The metrics of some groups, by their names, after `runs`, which is the first always. Predictions, confidence and labels are
 * left out of a model without classes.
 *
 * @param classes columns of the model's first float32 output; 0 where it is no classifier
 */
export function telemetrySpecs(
  groups: readonly TelemetryName[],
  classes: number,
): Readonly<Record<string, MetricSpec>> {
  const classified = classes >= 2 && classes <= MAX_TELEMETRY_CLASSES;
  const has = (name: TelemetryName): boolean => groups.includes(name);
  return {
    runs: counter,
    ...(has("latency")
      ? Object.fromEntries(
          TELEMETRY_ENGINES.map((engine) => [`latency.${engine}`, histogram(RUN_LATENCY_BINS)]),
        )
      : {}),
    ...(has("errors") ? Object.fromEntries(TELEMETRY_ERRORS.map((code) => [`errors.${code}`, counter])) : {}),
    ...(has("predictions") && classified ? { predictions: histogram(classBins(classes)) } : {}),
    ...(has("confidence") && classified ? { confidence: histogram(CONFIDENCE_BINS) } : {}),
    ...(has("labels") && classified ? { labels: histogram(classBins(classes)) } : {}),
  };
}
