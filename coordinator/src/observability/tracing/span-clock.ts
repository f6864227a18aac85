/** How far the wall clock may go from where it was, in ms, before spans follow it: a step of it, or a machine that slept. */
const STEP_MS = 1000;

let epochOffset = Date.now() - monotonicMs();

/** Of this process's threads, whichever asks; in ms, of no particular origin. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * When a span begins or ends, in ms since the epoch with microseconds. All spans have it from one clock: with one of its own each, as
 * OpenTelemetry sets them up, a parent seems to end before its children wherever the thread lost the processor between two readings.
 */
export function spanTime(at = monotonicMs()): number {
  const wallOffset = Date.now() - monotonicMs();
  if (Math.abs(wallOffset - epochOffset) > STEP_MS) epochOffset = wallOffset;
  return epochOffset + at;
}
