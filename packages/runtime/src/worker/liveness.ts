/** Whether a worker that was asked something still does anything. */
import type { Clock, Timer } from "@tributary/core";

/** No worker is called stuck before it was quiet this long. */
const MIN_QUIET_MS = 10_000;
/** Nor before it was quiet this many times as long as its slowest answers take. */
const P99_FACTOR = 20;
/** Answers that the slowest are found among. */
const TIMES_KEPT = 256;
/** A timer that comes so late was held back with the whole page. */
const LATE_MS = 1_000;

export interface Liveness {
  /** Something is asked: from now on silence counts. @returns when, for `answered` */
  asked(): number;
  /** What was asked then has its answer, or its end, which is a sign of life. Only answers tell how long they take. */
  answered(askedAtMs: number, isAnswer: boolean): void;
  /** Something that may keep a worker busy for long, such as loading a model: silence does not count meanwhile. */
  excuse<T>(work: Promise<T>): Promise<T>;
  /** The worker said something. */
  seen(): void;
  end(): void;
}

/**
 * Called for each inference, so by functions of one turn: a promise more is a good part of what a small model takes.
 *
 * @param onStuck - called once, with how long the worker was quiet
 */
export function createLiveness(clock: Clock, onStuck: (quietMs: number) => void): Liveness {
  /** The last ones, in no order. */
  const timesMs: number[] = [];
  let times = 0;
  let asked = 0;
  let excused = 0;
  let quietSinceMs = clock.monotonicMs();
  let timer: Timer | undefined;
  let over = false;

  const limitMs = (): number => {
    const sorted = timesMs.toSorted((a, b) => a - b);
    const p99 = sorted[Math.ceil(0.99 * sorted.length) - 1] ?? 0;
    return Math.max(MIN_QUIET_MS, P99_FACTOR * p99);
  };
  /** One timer for all calls, which looks at the clock when it is due: calls come by the hundred a second. */
  const arm = (waitMs: number): void => {
    const dueMs = clock.monotonicMs() + waitMs;
    timer = clock.schedule(waitMs, () => {
      timer = undefined;
      const now = clock.monotonicMs();
      // A page that slept does not know what its worker did.
      if (excused > 0 || now - dueMs > LATE_MS) quietSinceMs = now;
      if (asked === 0 || over) return;
      const leftMs = quietSinceMs + limitMs() - now;
      if (leftMs > 0) return arm(leftMs);
      over = true;
      onStuck(now - quietSinceMs);
    });
  };
  const seen = (): void => {
    quietSinceMs = clock.monotonicMs();
  };

  return {
    asked() {
      const now = clock.monotonicMs();
      if (asked === 0) quietSinceMs = now;
      asked += 1;
      if (timer === undefined && !over) arm(MIN_QUIET_MS);
      return now;
    },
    answered(askedAtMs, isAnswer) {
      asked -= 1;
      seen();
      if (isAnswer) timesMs[times++ % TIMES_KEPT] = quietSinceMs - askedAtMs;
    },
    async excuse(work) {
      excused += 1;
      try {
        return await work;
      } finally {
        excused -= 1;
        seen();
      }
    },
    seen,
    end() {
      over = true;
      timer?.cancel();
      timer = undefined;
    },
  };
}
