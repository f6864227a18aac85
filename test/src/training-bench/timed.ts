/** What a contestant can be asked to run, as its process tells the benchmark's. */
export interface CaseInfo {
  /** A model of bench-model.ts, or the product of matrices that is the engine's peak. */
  readonly name: "matmul" | "mlp" | "cnn" | "transformer";
  /** 0 for the product of matrices. */
  readonly batchSize: number;
  /** Floating point operations of one run. */
  readonly flops: number;
  /** Time to build the training graph; absent where there is none. */
  readonly buildMs?: number;
  /** Time to make a session of it. */
  readonly sessionMs?: number;
  readonly modelBytes?: number;
}

/** Something to run again and again. */
export interface Timed {
  readonly info: CaseInfo;
  run(): Promise<void>;
}

/** Of one run. */
export interface Duration {
  readonly wallMs: number;
  /** Processor time of the whole process. */
  readonly cpuMs: number;
}
