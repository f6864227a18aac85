import type { Clock } from "@tributary/core";

/**
 * Time that deadlines are set and kept by, in whole milliseconds since the epoch: the wall clock as it was at the start, moved on
 * by the monotonic one. Who sets the clock neither ends a round nor makes it last.
 */
export type SteadyNow = () => number;

export function createSteadyNow(clock: Pick<Clock, "now" | "monotonicMs">): SteadyNow {
  const startMs = clock.now() - clock.monotonicMs();
  return () => Math.floor(startMs + clock.monotonicMs());
}
