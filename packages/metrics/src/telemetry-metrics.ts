import { linearBins, logBins, type Bins } from "./bins.ts";
import { FEATURE_BINS, featuresOf, type FeatureInput } from "./feature-metrics.ts";
import { counter, histogram, type MetricSpec } from "./schema.ts";

// What a device counts of a version that it runs. Fixed here, so that what devices recorded fits any plan that asks for it.

/** Time in the engine of one run: 0.1 ms to 100 s, five bins per decade. */
export const RUN_LATENCY_BINS: Bins = logBins({ from: 0.1, to: 100_000, perDecade: 5 });
/** Largest probability of an answer. */
export const CONFIDENCE_BINS: Bins = linearBins({ from: 0, to: 1, count: 20 });
/** Examples answered in a second in which any was. */
export const THROUGHPUT_BINS: Bins = logBins({ from: 1, to: 100_000, perDecade: 4 });
/** Bytes that the engine has reserved, looked at in each such second: 1 MB to 100 GB. */
export const MEMORY_BINS: Bins = logBins({ from: 1e6, to: 1e11, perDecade: 4 });

/** Engines that runs are told apart by. */
export const TELEMETRY_ENGINES = [
  "ort-wasm",
  "ort-webgpu",
  "ort-node",
  "tfjs-wasm",
  "tfjs-webgpu",
  "tfjs-cpu",
] as const;
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

export type TelemetryName =
  | "latency"
  | "throughput"
  | "memory"
  | "errors"
  | "predictions"
  | "confidence"
  | "labels"
  | "features"
  | "feedback";

/** What is counted of a model depends on its form. */
export interface TelemetryModel {
  /** Columns of its first float32 output; 0 where it is no classifier. */
  readonly classes: number;
  readonly inputs: readonly FeatureInput[];
}

/** One bin a class: class c counts in bin c + 1. */
export function classBins(classes: number): Bins {
  return linearBins({ from: 0, to: classes, count: classes });
}

/** Histograms whose bins are classes, in no order. */
export function isOfClasses(name: string): boolean {
  return name === "predictions" || name === "labels";
}

/** Histograms that tell of the data and not of the device: what may drift. */
export function mayDrift(name: string): boolean {
  return isOfClasses(name) || name === "confidence" || name.startsWith("features.");
}

/**
 * The metrics of some groups, by their names, after `runs`, which is the first always. Predictions, confidence, labels and feedback are
 * left out of a model without classes.
 *
 * @param featureBins of an input's feature, by the metric's name; `FEATURE_BINS` where it says nothing
 */
export function telemetrySpecs(
  groups: readonly TelemetryName[],
  { classes, inputs }: TelemetryModel,
  featureBins: (metric: string) => Bins | undefined = () => undefined,
): Readonly<Record<string, MetricSpec>> {
  const isClassifier = classes >= 2 && classes <= MAX_TELEMETRY_CLASSES;
  const has = (name: TelemetryName): boolean => groups.includes(name);
  const named = <Spec>(names: readonly string[], spec: (name: string) => Spec): Record<string, Spec> =>
    Object.fromEntries(names.map((name) => [name, spec(name)]));
  return {
    runs: counter,
    ...(has("latency")
      ? named(
          TELEMETRY_ENGINES.map((engine) => `latency.${engine}`),
          () => histogram(RUN_LATENCY_BINS),
        )
      : {}),
    ...(has("errors")
      ? named(
          TELEMETRY_ERRORS.map((code) => `errors.${code}`),
          () => counter,
        )
      : {}),
    ...(has("predictions") && isClassifier ? { predictions: histogram(classBins(classes)) } : {}),
    ...(has("confidence") && isClassifier ? { confidence: histogram(CONFIDENCE_BINS) } : {}),
    ...(has("labels") && isClassifier ? { labels: histogram(classBins(classes)) } : {}),
    ...(has("throughput") ? { throughput: histogram(THROUGHPUT_BINS) } : {}),
    ...(has("memory") ? { memory: histogram(MEMORY_BINS) } : {}),
    ...(has("feedback") && isClassifier
      ? named(["feedback.answers", "feedback.correct"], () => counter)
      : {}),
    ...(has("features")
      ? named(
          featuresOf(inputs).map(({ metric }) => metric),
          (metric) => histogram(featureBins(metric) ?? FEATURE_BINS),
        )
      : {}),
  };
}
