import type { SeededRandom } from "@tributary/core";
import type { RetryRules, TaskReason } from "@tributary/protocol";

/** Abandoned for reasons that say nothing about the next round. */
const HARMLESS: ReadonlySet<string> = new Set([
  "round/task-paused",
  "round/base-replaced",
  "round/outside-schedule",
  // The next cohort is another one, and devices limit by themselves how often they give.
  "round/secure-sum-refused",
]);

/** Rounds that failed one after the other, after one more has ended. */
export function failuresAfter(
  failures: number,
  round: { readonly phase: string; readonly reason: string | null; readonly purpose?: string },
): number {
  // Whether a gate finds its devices says nothing of training.
  if (round.purpose === "gate") return failures;
  return round.phase === "committed" || HARMLESS.has(round.reason ?? "") ? 0 : failures + 1;
}

/**
 * How long to wait after so many failures in a row: exponential, with the upper half drawn, so that what failed
 * together is not tried again together.
 *
 * @param failures from 1
 */
export function retryDelayMs(
  { backoffMs, maxBackoffMs }: RetryRules,
  failures: number,
  random: Pick<SeededRandom, "next">,
): number {
  const most = Math.min(maxBackoffMs, backoffMs * 2 ** (failures - 1));
  return Math.ceil(most / 2 + (most / 2) * random.next());
}

/** Why a task gives up for now; undefined: it tries again. */
export function giveUpReason(
  { maxConsecutiveFailures }: RetryRules,
  failures: number,
  last: string | null,
): TaskReason | undefined {
  if (maxConsecutiveFailures === null || failures < maxConsecutiveFailures) return undefined;
  const why = last === null ? "" : `, the last with ${last}`;
  return { code: "consecutive-failures", message: `${failures} rounds in a row failed${why}` };
}
