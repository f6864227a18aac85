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
  adjustedByHolm,
  shareDifference,
  type CountedShare,
  type ShareDifference,
} from "./share-difference.ts";
export { shareInterval, type ShareInterval } from "./share-interval.ts";
export { driftOf, type Drift } from "./drift.ts";
export {
  FEATURE_BINS,
  featuresOf,
  quantileBins,
  readFeatures,
  type Feature,
  type FeatureInput,
} from "./feature-metrics.ts";
export { HEALTH_LATENCY_BINS, healthMetrics } from "./health-metrics.ts";
export {
  classBins,
  CONFIDENCE_BINS,
  isOfClasses,
  MAX_TELEMETRY_CLASSES,
  mayDrift,
  MEMORY_BINS,
  RUN_LATENCY_BINS,
  TELEMETRY_ENGINES,
  TELEMETRY_ERRORS,
  telemetrySpecs,
  THROUGHPUT_BINS,
  type TelemetryModel,
  type TelemetryName,
} from "./telemetry-metrics.ts";
export { NO_COHORTS, observeCohorts, readCohorts, type SequentialCohorts } from "./sequential-cohorts.ts";
export {
  observeDifference,
  readDifference,
  sequentialDifference,
  type DifferenceReading,
  type SequentialDifference,
} from "./sequential-difference.ts";
