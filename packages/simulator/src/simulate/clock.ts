import type { Clock, Timer } from "@tributary/core";
import TinyQueue from "tinyqueue";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void | Promise<void>) | undefined;
}

/**
 * The time of a simulation: it stands still until the next event and then jumps there. Events of one moment run in the
 * order in which they were scheduled, and an event that takes a while, as training does, is waited for; so what happens
 * depends on nothing but the events.
 */
export interface SimulationClock extends Clock {
  schedule(delayMs: number, run: () => void | Promise<void>): Timer;
  /** Runs the next event and everything it waits for; false when none is left. */
  runNext(): Promise<boolean>;
}

/** @param startMs milliseconds since the epoch */
export function createSimulationClock(startMs: number): SimulationClock {
  const queue = new TinyQueue<Entry>([], (a, b) => a.atMs - b.atMs || a.order - b.order);
  let elapsedMs = 0;
  let order = 0;
  return {
    now: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    schedule(delayMs, run) {
      if (!(delayMs >= 0)) throw new RangeError(`schedule: delayMs must be 0 or more, got ${delayMs}`);
      // Whole milliseconds, as on the wire.
      const entry: Entry = { atMs: Math.ceil(elapsedMs + delayMs), order: order++, run };
      queue.push(entry);
      return { cancel: () => void (entry.run = undefined) };
    },
    async runNext() {
      for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
        const { run } = entry;
        if (run === undefined) continue;
        elapsedMs = entry.atMs;
        await run();
        return true;
      }
      return false;
    },
  };
}
