import { performance, type EventLoopUtilization } from "node:perf_hooks";

/** Reads, each time it is called, the share of the time since the last call that this thread was busy: 0 to 1. */
export function createBusyMeter(): () => number {
  let before: EventLoopUtilization = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return Number.isFinite(utilization) ? utilization : 0;
  };
}
