/** What a benchmark hands back: `figures` is flat, its names are kept stable; `results` may hold curves and tables. */
export interface BenchmarkResult {
  readonly results: unknown;
  readonly figures: Readonly<Record<string, number>>;
  /** Lines that say which bound was met and which was missed. */
  readonly verdicts?: readonly string[];
}

export interface BenchmarkContext {
  /** Arguments after the benchmark's name. */
  readonly args: readonly string[];
  /** A line of readable progress, on stderr. */
  readonly log: (line: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  readonly usage?: string;
  run(context: BenchmarkContext): Promise<BenchmarkResult>;
}
