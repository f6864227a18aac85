import type { StopMetric, StopRules, TaskReason } from "@tributary/protocol";

/** What a committed round measured; null: nothing. */
export interface RoundResult {
  readonly number: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
}

/** What the stop rules need to know of all committed rounds so far; a fold over them, in order. */
export interface StopProgress {
  readonly committed: number;
  /** The best value of the metric of `noImprovement`, and the rounds with one that were not better since. */
  readonly best: { readonly value: number; readonly round: number; readonly staleRounds: number } | null;
  /** The first round that reached the target. */
  readonly reached: { readonly round: number; readonly value: number } | null;
}

export const NO_PROGRESS: StopProgress = Object.freeze({ committed: 0, best: null, reached: null });

/** The progress after another committed round. */
export function addResult(
  { targetMetric, noImprovement }: StopRules,
  progress: StopProgress,
  result: RoundResult,
): StopProgress {
  let { best, reached } = progress;
  const toReach = targetMetric === null ? null : result[targetMetric.name];
  if (targetMetric !== null && toReach !== null && reached === null) {
    if (isBetter(targetMetric.name, toReach, targetMetric.value) || toReach === targetMetric.value) {
      reached = { round: result.number, value: toReach };
    }
  }
  const value = noImprovement === null ? null : result[noImprovement.metric];
  if (noImprovement !== null && value !== null) {
    const { metric, minimumChange } = noImprovement;
    const enough =
      best === null || (isBetter(metric, value, best.value) && Math.abs(value - best.value) >= minimumChange);
    if (enough) best = { value, round: result.number, staleRounds: 0 };
    else if (best !== null) best = { ...best, staleRounds: best.staleRounds + 1 };
  }
  return { committed: progress.committed + 1, best, reached };
}

/**
 * Why a task is done; undefined: it goes on. Rounds that measured nothing count for `rounds` and time alone.
 *
 * @param at.roundsCommitted over the task's whole life
 * @param at.since when the task was created or last resumed, ms since the epoch; `progress` begins there too
 */
export function stopReason(
  { rounds, stop }: { readonly rounds: number | null; readonly stop: StopRules },
  progress: StopProgress,
  at: { readonly now: number; readonly since: number; readonly roundsCommitted: number },
): TaskReason | undefined {
  const { targetMetric, elapsedMs, noImprovement } = stop;
  const { reached, best } = progress;
  if (targetMetric !== null && reached !== null) {
    return {
      code: "target-metric",
      message: `${targetMetric.name} ${reached.value} in round ${reached.round}: the target was ${targetMetric.value}`,
    };
  }
  if (rounds !== null && at.roundsCommitted >= rounds) {
    return {
      code: "rounds",
      message: `${at.roundsCommitted} of ${rounds} rounds are committed`,
    };
  }
  if (noImprovement !== null && best !== null && best.staleRounds >= noImprovement.rounds) {
    return {
      code: "no-improvement",
      message: `${noImprovement.metric} ${best.value} of round ${best.round} was not improved by ${noImprovement.minimumChange} in ${best.staleRounds} rounds`,
    };
  }
  if (elapsedMs !== null && at.now - at.since >= elapsedMs) {
    return { code: "elapsed", message: `${elapsedMs} ms have passed` };
  }
  return undefined;
}

function isBetter(metric: StopMetric, value: number, than: number): boolean {
  return metric === "loss" ? value < than : value > than;
}
