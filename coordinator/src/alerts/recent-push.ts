import type { PushView } from "@tributary/protocol";

const KEPT_MS = 3_600_000;
const MOST = 2_048;
/** Fewer devices say nothing of one in a hundred. */
const FEWEST = 10;

/** How long devices took to run a version that they heard of, in the last hour. */
export interface RecentPush {
  record(at: number, appliedAfterMs: number): void;
  /** Null: too few of them told. */
  view(now: number): PushView | null;
}

export function createRecentPush(): RecentPush {
  const told: { readonly at: number; readonly ms: number }[] = [];
  return {
    record(at, ms) {
      if (ms <= 0) return;
      told.push({ at, ms });
      if (told.length > MOST) told.shift();
    },
    view(now) {
      while (told.length > 0 && now - told[0]!.at > KEPT_MS) told.shift();
      if (told.length < FEWEST) return null;
      const sorted = told.map(({ ms }) => ms).toSorted((a, b) => a - b);
      const at = (q: number): number =>
        sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!;
      return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
    },
  };
}
