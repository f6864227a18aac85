import type { EngineName } from "@tributary/engine";

/** How the models of a runtime fared. It is told to the page alone. */
export interface Metrics {
  /** Since when it is counted, in milliseconds since the epoch. */
  readonly startedAt: number;
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
  /**
   * Of the inputs, each example once: `age` of an input with one value, `rooms.2` of one with at most 16, else `image.mean` and
   * `image.deviation`.
   */
  readonly features: Readonly<Record<string, HistogramView>>;
  /** Examples answered in each second in which any was. */
  readonly throughput: HistogramView;
  /** Memory that the engine had reserved in those seconds, where it is known. */
  readonly memoryBytes: HistogramView;
  readonly feedback: FeedbackView;
}

/** What pages said of answers. */
export interface FeedbackView {
  /** Rows of answers that the page told the right class of. */
  readonly answers: number;
  readonly correct: number;
  /** Share of them that were right; null without any. */
  readonly accuracy: number | null;
}

export interface LatencyView {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly histogram: HistogramView;
}

/** Counts of values below the first edge, between each two, and from the last one on: one more than there are edges. */
export interface HistogramView {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}
