/** A scheduled call that has not run yet. */
export interface Timer {
  /** Idempotent; after it the call will not run. */
  cancel(): void;
}

/** Time as an input: tests use the virtual clock of `@tributary/core/testing`. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the user sets the clock. */
  now(): number;
  /** Milliseconds since some start; never goes back. For durations. */
  monotonicMs(): number;
  /** Runs once after `delayMs` (0 or more; not synchronously). */
  schedule(delayMs: number, run: () => void): Timer;
}

/** The longest delay `setTimeout` takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The platform's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, run) {
    if (!(delayMs >= 0)) throw new RangeError(`schedule: delayMs must be 0 or more, got ${delayMs}`);
    let remainingMs = delayMs;
    let handle: ReturnType<typeof setTimeout>;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, MAX_TIMEOUT_MS);
      remainingMs -= stepMs;
      handle = setTimeout(remainingMs > 0 ? arm : run, stepMs);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};
