import type { SeparationRules } from "@tributary/protocol";

/** A participation of a device in a task: the round's number, and when it was asked. */
export interface Participation {
  readonly round: number;
  /** Ms since the epoch, on the clock of whoever counts. */
  readonly at: number;
}

/** How long a device has still to sit out. */
export interface Separation {
  /** 0: time alone does not hold it back. */
  readonly waitMs: number;
  /** Rounds of the task, the present one included. */
  readonly rounds: number;
}

/**
 * How long a device has still to sit out after its last participation; null: it may take part. The same rule on the
 * coordinator and on the device, each with its own clock. A clock that was set back makes nobody wait longer than the rule.
 */
export function separationLeft(
  rules: SeparationRules,
  last: Participation | undefined,
  next: Participation,
): Separation | null {
  if (last === undefined) return null;
  const passedMs = Math.max(0, next.at - last.at);
  const waitMs = Math.max(0, rules.minimumSeparationMs - passedMs);
  const rounds = Math.max(0, rules.minimumSeparationRounds + 1 - Math.max(0, next.round - last.round));
  const held = rules.minimumSeparationRounds > 0 && rounds > 0;
  return waitMs > 0 || held ? { waitMs, rounds: held ? rounds : 0 } : null;
}
