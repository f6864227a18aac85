import type { EngineName } from "@tributary/engine";

/** How the models of a runtime fared. It is told to the page alone. */
export interface Metrics {
  /** Of the versions that ran, at most eight, the one last that ran last. */
  readonly models: readonly ModelMetrics[];
  /** Memory that the engine has reserved, in bytes, where it is known. */
  readonly heapBytes?: number;
}

/** Counts of one version since the runtime started; in a page, since its worker did. */
export interface ModelMetrics {
  readonly model: string;
  readonly version: number;
  /** Calls that were answered. */
  readonly runs: number;
  /** Calls that failed, by code; codes that are not counted apart are `other`. */
  readonly errors: Readonly<Record<string, number>>;
  /** Time in the engine, in milliseconds, by the engine; from bins of a fifth of a decade. */
  readonly latencyMs: Readonly<Partial<Record<EngineName, LatencyView>>>;
  /** Answers by class. Absent where the model has no classes, or more than 1024. */
  readonly predictions?: readonly number[];
  /** Largest probability of each answer. */
  readonly confidence?: HistogramView;
  /** Labels of examples that were added, by class. */
  readonly labels?: readonly number[];
}

export interface LatencyView {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Counts of values below the first edge, between each two, and from the last one on: one more than there are edges. */
export interface HistogramView {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}
