/** When local training may take its next step, so that nobody who uses the device feels it. */
import { abortable, throwIfAborted, type Clock } from "@tributary/core";
import type { TrainingPace } from "@tributary/engine/training";
import type { PauseReason, TrainingDiagnosis } from "./training-diagnosis.ts";

export interface CourtesyOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "schedule">;
  /**
   * Where a page is near: lets what it said come in, which a worker that trains step after step would not hear. Undefined: nobody
   * is near, and steps follow each other.
   */
  readonly listen?: (() => Promise<void>) | undefined;
}

export interface Courtesy extends TrainingPace {
  /** Share of the time that training takes of a thread, in (0, 1]. */
  setDutyCycle(share: number): void;
  /** Whether there is a reason to pause. */
  setReason(reason: "input" | "not-idle" | "hidden", holds: boolean): void;
  diagnose(): Omit<TrainingDiagnosis, "batches">;
}

/** No run is to take longer where a page is near and its batches allow: two frames and a half at 60 Hz. */
export const TARGET_MS = 40;
const KEPT_RUNS = 512;
/** Weight of the newest run in what a batch is expected to take. */
const NEWEST = 0.3;

export function createCourtesy({ clock, listen }: CourtesyOptions): Courtesy {
  const reasons = new Set<PauseReason>();
  const waiting = new Set<() => void>();
  const pauses = new Map<PauseReason, { count: number; totalMs: number }>();
  const durations: number[] = [];
  let dutyCycle = 1;
  let restUntilMs = -Infinity;
  let stepMs: number | undefined;
  let [runs, steps, longRuns] = [0, 0, 0];

  const wake = (): void => {
    for (const each of waiting) each();
    waiting.clear();
  };

  /** Until something changes, or the time is over. */
  const change = async (untilMs: number | undefined, signal: AbortSignal | undefined): Promise<void> => {
    let timer: { cancel(): void } | undefined;
    const changed = new Promise<void>((resolve) => {
      waiting.add(resolve);
      if (untilMs !== undefined) timer = clock.schedule(Math.max(0, untilMs - clock.monotonicMs()), resolve);
    });
    try {
      await abortable(changed, signal);
    } finally {
      timer?.cancel();
    }
  };

  const paused = async (reason: PauseReason, wait: () => Promise<void>): Promise<void> => {
    const startedAtMs = clock.monotonicMs();
    const known = pauses.get(reason) ?? { count: 0, totalMs: 0 };
    pauses.set(reason, known);
    known.count += 1;
    try {
      await wait();
    } finally {
      known.totalMs += clock.monotonicMs() - startedAtMs;
    }
  };

  /** Resolves with nothing awaited between the last look at the reasons and the step. */
  const turn = async (signal: AbortSignal | undefined): Promise<void> => {
    await listen?.();
    for (;;) {
      throwIfAborted(signal);
      const [reason] = reasons;
      if (reason !== undefined) {
        await paused(reason, async () => {
          while (reasons.has(reason)) await change(undefined, signal);
        });
      } else if (clock.monotonicMs() < restUntilMs) {
        await paused("duty-cycle", async () => {
          while (reasons.size === 0 && clock.monotonicMs() < restUntilMs) await change(restUntilMs, signal);
        });
      } else {
        return;
      }
    }
  };

  return {
    maxSteps() {
      if (listen === undefined) return Number.POSITIVE_INFINITY;
      // The first run tells how long one batch takes.
      return stepMs === undefined ? 1 : Math.max(1, Math.floor(TARGET_MS / stepMs));
    },
    async run(batches, work, signal) {
      await turn(signal);
      const startedAtMs = clock.monotonicMs();
      const result = await work();
      const durationMs = clock.monotonicMs() - startedAtMs;
      restUntilMs = startedAtMs + durationMs / dutyCycle;
      if (durations.length === KEPT_RUNS) durations.shift();
      durations.push(durationMs);
      if (batches > 0) {
        const each = durationMs / batches;
        stepMs = stepMs === undefined ? each : stepMs + NEWEST * (each - stepMs);
      }
      runs += 1;
      steps += batches;
      if (durationMs > TARGET_MS) longRuns += 1;
      return result;
    },
    setDutyCycle(share) {
      dutyCycle = share;
    },
    setReason(reason, holds) {
      if (reasons.has(reason) === holds) return;
      if (holds) reasons.add(reason);
      else reasons.delete(reason);
      wake();
    },
    diagnose() {
      const sorted = durations.toSorted((a, b) => a - b);
      const at = (share: number): number | null => sorted[Math.floor(share * (sorted.length - 1))] ?? null;
      return {
        runs,
        steps: Math.round(steps),
        medianMs: at(0.5),
        p95Ms: at(0.95),
        longRuns,
        dutyCycle,
        paused: [...reasons],
        pauses: Object.fromEntries([...pauses].map(([reason, told]) => [reason, { ...told }])),
      };
    },
  };
}
