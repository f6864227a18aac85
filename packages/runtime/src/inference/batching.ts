/** How calls of one model share runs. */
export interface BatchingOptions {
  /**
   * Most rows of a run that several calls share, 1 to 1024; 1: no two calls share one. A call of more rows runs alone.
   * @defaultValue 32
   */
  readonly maxBatchSize?: number;
  /**
   * How long a call waits for others to share its run with, in milliseconds, 0 to 1000. Calls that arrive together, or while
   * the model runs, share the next run without any wait.
   * @defaultValue 0
   */
  readonly maxDelayMs?: number;
}

export const BATCHING_DEFAULTS = { maxBatchSize: 32, maxDelayMs: 0 } as const satisfies BatchingOptions;

/** @throws RangeError for a value out of its range */
export function checkedBatching(options: BatchingOptions = {}): Required<BatchingOptions> {
  const { maxBatchSize, maxDelayMs } = { ...BATCHING_DEFAULTS, ...options };
  if (!Number.isSafeInteger(maxBatchSize) || maxBatchSize < 1 || maxBatchSize > 1024) {
    throw new RangeError(`batching: maxBatchSize must be an integer in [1, 1024], got ${maxBatchSize}`);
  }
  if (!(maxDelayMs >= 0 && maxDelayMs <= 1000)) {
    throw new RangeError(`batching: maxDelayMs must be in [0, 1000], got ${maxDelayMs}`);
  }
  return { maxBatchSize, maxDelayMs };
}
