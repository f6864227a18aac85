/** When to try again: the delay doubles from `baseMs` to `maxMs`, and a random half of it is taken away. */
export interface BackoffOptions {
  /** Delay before the first retry, in milliseconds. */
  readonly baseMs: number;
  /** Longest delay, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Delay before retry number `attempt` (from 1), in milliseconds, in (half, full] of the doubled delay:
 * clients that lost the same server must not come back at the same moment.
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: number): number {
  const full = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full * (1 - random / 2));
}
