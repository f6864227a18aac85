import type { Clock, Timer } from "../clock.ts";

/** A clock that stands still until told to move. */
export interface VirtualClock extends Clock {
  /** Moves to the next timer and runs it; false when none is left. */
  advanceToNext(): boolean;
  /** Moves by a duration, running every timer on the way in order of time. */
  advance(durationMs: number): void;
  /** Like `advanceToNext`, but lets promises settle first and afterwards. */
  advanceToNextAsync(): Promise<boolean>;
  /** Sets the wall clock apart from the monotonic one, as a user might. */
  setNow(nowMs: number): void;
  /** Milliseconds until the next timer; undefined when none is left. */
  readonly nextInMs: number | undefined;
  readonly pendingTimers: number;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A whole macrotask: every promise that can settle by itself has settled after it. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}

/** @param options.startMs wall-clock start, by default 2026-01-01 */
export function createVirtualClock(options: { startMs?: number } = {}): VirtualClock {
  let offsetMs = options.startMs ?? Date.UTC(2026, 0, 1);
  let elapsedMs = 0;
  let order = 0;
  const entries = new Set<Entry>();

  const earliest = (): Entry | undefined => {
    let first: Entry | undefined;
    for (const entry of entries) {
      if (
        first === undefined ||
        entry.atMs < first.atMs ||
        (entry.atMs === first.atMs && entry.order < first.order)
      )
        first = entry;
    }
    return first;
  };
  const runEntry = (entry: Entry): void => {
    entries.delete(entry);
    elapsedMs = Math.max(elapsedMs, entry.atMs);
    entry.run();
  };
  const advanceToNext = (): boolean => {
    const entry = earliest();
    if (entry === undefined) return false;
    runEntry(entry);
    return true;
  };

  return {
    now: () => offsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    schedule(delayMs, run): Timer {
      if (!(delayMs >= 0)) throw new RangeError(`schedule: delayMs must be 0 or more, got ${delayMs}`);
      const entry: Entry = { atMs: elapsedMs + delayMs, order: order++, run };
      entries.add(entry);
      return { cancel: () => void entries.delete(entry) };
    },
    advanceToNext,
    advance(durationMs) {
      const endMs = elapsedMs + durationMs;
      for (let entry = earliest(); entry !== undefined && entry.atMs <= endMs; entry = earliest())
        runEntry(entry);
      elapsedMs = Math.max(elapsedMs, endMs);
    },
    async advanceToNextAsync() {
      await settle();
      const moved = advanceToNext();
      await settle();
      return moved;
    },
    setNow(nowMs) {
      offsetMs = nowMs - elapsedMs;
    },
    get nextInMs() {
      const entry = earliest();
      return entry === undefined ? undefined : entry.atMs - elapsedMs;
    },
    get pendingTimers() {
      return entries.size;
    },
  };
}
