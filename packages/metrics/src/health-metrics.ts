import type { Bins } from "./bins.ts";
import { counter, histogram, metricSchema } from "./schema.ts";
import { TELEMETRY_ERRORS } from "./telemetry-metrics.ts";

/** Milliseconds in the engine of one run, half a decade a bin. */
export const HEALTH_LATENCY_BINS: Bins = Object.freeze({
  edges: Object.freeze([1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]),
  spacing: "log",
});

/**
 * What a device tells of a version by itself, where its app lets it: whether it works, and nothing of what it was asked or answered.
 * Version 1 of the layout: another one is another version of the report.
 */
export const healthMetrics = metricSchema({
  /** Calls that were answered. */
  runs: counter,
  /** Worker or process ended while the version ran, and nobody had asked for it. */
  crashes: counter,
  /** The device's check of the version said that it computes wrong, or cannot run. */
  selfCheckFailures: counter,
  ...(Object.fromEntries(TELEMETRY_ERRORS.map((code) => [`errors.${code}`, counter])) as Record<
    `errors.${(typeof TELEMETRY_ERRORS)[number]}`,
    typeof counter
  >),
  latency: histogram(HEALTH_LATENCY_BINS),
});
