import { delay, TributaryError, type Env } from "@tributary/core";

export interface RetryOptions {
  readonly env: Pick<Env, "clock" | "random">;
  readonly signal?: AbortSignal | undefined;
  /** Tries in all. @defaultValue 4 */
  readonly attempts?: number;
  /** Give up where the next try would begin after this (the device's monotonic clock). */
  readonly untilMs?: number;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 60_000;
/** Longest wait a server's Retry-After is followed for. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/**
 * Exponential backoff with half of it jitter, so that devices which lost the same server do not come back at once:
 * between half and the whole of 250 ms * 2^attempt, at most 60 s.
 * @param attempt failures so far, from 0
 */
export function backoffMs(attempt: number, random: Env["random"]): number {
  const full = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt, 20), MAX_DELAY_MS);
  const [high = 0, low = 0] = random.bytes(2);
  return Math.round(full / 2 + (full / 2) * ((high * 256 + low) / 65_535));
}

/** Tries again what failed with a retryable code, after the server's Retry-After or a backoff. */
export async function withRetries<T>(
  options: RetryOptions,
  operation: (attempt: number) => Promise<T>,
): Promise<T> {
  const { env, signal, attempts = 4, untilMs = Infinity } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (!TributaryError.is(error) || !error.retryable || attempt + 1 >= attempts) throw error;
      const waitMs = retryAfterMs(error) ?? backoffMs(attempt, env.random);
      if (env.clock.monotonicMs() + waitMs > untilMs) throw error;
      await delay(env.clock, waitMs, signal);
    }
  }
}

/** What the server asked for, where it did: `detail.retryAfterMs`, at most five minutes. */
export function retryAfterMs(error: TributaryError): number | undefined {
  const asked = error.detail["retryAfterMs"];
  return typeof asked === "number" && asked >= 0 ? Math.min(asked, MAX_RETRY_AFTER_MS) : undefined;
}

/** Whether an error means that there was no network, rather than that something was wrong. */
export function isOffline(error: unknown): boolean {
  return (
    TributaryError.is(error) &&
    (error.code === "transport/connect-failed" ||
      error.code === "transport/closed" ||
      error.code === "http/unavailable" ||
      error.code === "core/timeout")
  );
}
