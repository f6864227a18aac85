import { createHistogram, LATENCY_BINS, observe, quantile, total } from "@tributary/metrics";
import type { PushView } from "@tributary/protocol";

/** How long devices took from hearing of a version to running it, since the coordinator started. */
export interface PushLatency {
  /** @param appliedAfterMs 0 where the version was not pushed: the device found it when it started */
  record(appliedAfterMs: number): void;
  /** Null until a device has told one. */
  view(): PushView | null;
}

export function createPushLatency(): PushLatency {
  const histogram = createHistogram(LATENCY_BINS);
  const rounded = (q: number): number => Math.round(quantile(histogram, q)! * 10) / 10;
  return {
    record(appliedAfterMs) {
      if (appliedAfterMs > 0) observe(histogram, appliedAfterMs);
    },
    view() {
      const count = total(histogram);
      return count === 0 ? null : { count, p50Ms: rounded(0.5), p99Ms: rounded(0.99) };
    },
  };
}
