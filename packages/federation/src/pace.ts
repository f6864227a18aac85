import { LIMITS } from "@tributary/protocol";

/** What the coordinator knows when it sends a device away. */
export interface PaceInput {
  /** Ms since the epoch, on the coordinator's clock. */
  readonly now: number;
  /** When the task will need devices again; null: when enough of them meet. */
  readonly needAt: number | null;
  /** How long a round takes at most. */
  readonly roundMs: number;
  /** Devices that a round asks. */
  readonly wanted: number;
  /** Devices that may come, estimated. */
  readonly population: number;
}

/** Come back after `retryAfterMs`, at a moment of your choice within `windowMs`. */
export interface ReturnWindow {
  readonly retryAfterMs: number;
  readonly windowMs: number;
}

/** Up to so many rounds' worth of devices, a round may fail for want of them: they are asked to meet. */
const SMALL_POPULATION_ROUNDS = 4;
/** Of those that may come, so many times the wanted are asked to, since some will not. */
const SUPPLY = 2;
const LEAST_MS = 1_000;
/** Wide enough that those who meet do not come in the same second. */
const MEETING_SHARE = 0.1;
const MAX_MEETING_MS = 10_000;

/**
 * Pace steering (Bonawitz et al. 2019, section 2.3), without state: small populations are asked into the same short
 * window, so that enough devices are there at once; large ones are spread so that each round meets about twice the
 * devices it asks, and no more. Every device that is told within the same round period is told the same window.
 */
export function returnWindow({ now, needAt, roundMs, wanted, population }: PaceInput): ReturnWindow {
  const meeting = needAt ?? (Math.floor(now / roundMs) + 1) * roundMs;
  const retryAfterMs = Math.round(clamp(meeting - now, LEAST_MS, LIMITS.maxReturnAfterMs));
  const rounds = population / Math.max(1, wanted);
  const windowMs =
    rounds <= SMALL_POPULATION_ROUNDS
      ? Math.min(MAX_MEETING_MS, roundMs * MEETING_SHARE)
      : (roundMs * rounds) / SUPPLY;
  return { retryAfterMs, windowMs: Math.round(Math.min(windowMs, LIMITS.maxReturnWindowMs)) };
}

/**
 * When a device comes back: at a moment of its own choice within the window. What the coordinator may demand is bounded.
 *
 * @param jitter uniform in [0, 1), drawn by the device
 */
export function returnAfterMs({ retryAfterMs, windowMs }: ReturnWindow, jitter: number): number {
  return (
    clamp(retryAfterMs, LEAST_RETURN_MS, LIMITS.maxReturnAfterMs) +
    Math.floor(jitter * Math.min(windowMs, LIMITS.maxReturnWindowMs))
  );
}

/** A coordinator that says "at once" again and again must not turn into a busy loop. */
const LEAST_RETURN_MS = 250;

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
