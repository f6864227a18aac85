export { binCount, binOf, linearBins, logBins, type Bins } from "./bins.ts";
export { createHistogram, LATENCY_BINS, observe, quantile, total, type Histogram } from "./histogram.ts";
export {
  addMetrics,
  checkMetrics,
  count,
  counter,
  createMetrics,
  histogram,
  metricSchema,
  readMetrics,
  record,
  signedCounter,
  type CounterSpec,
  type HistogramSpec,
  type MetricReading,
  type MetricSchema,
  type MetricSpec,
  type MetricVector,
} from "./schema.ts";
export { summarizeTraining, trainingMetrics, type TrainingSummary } from "./training-metrics.ts";
export {
  evaluationMetrics,
  evaluationVector,
  pairedMetrics,
  pairedVector,
  readPaired,
  type MeasuredExample,
  type PairBounds,
  type PairedSums,
} from "./paired-metrics.ts";
export {
  accuracyInterval,
  designEffect,
  lossInterval,
  mcNemarTest,
  pairedTTest,
  type PairedInterval,
} from "./paired-test.ts";
export {
  classBins,
  CONFIDENCE_BINS,
  MAX_TELEMETRY_CLASSES,
  RUN_LATENCY_BINS,
  TELEMETRY_ENGINES,
  TELEMETRY_ERRORS,
  telemetrySpecs,
  type TelemetryName,
} from "./telemetry-metrics.ts";
