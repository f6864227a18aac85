import type { FedAvgState } from "./fed-avg.ts";

/** What a buffer holds until it commits. Changed in place. */
export interface FedBuffState {
  /** Sum over cohorts of discount times the cohort's sum. */
  readonly sum: Float64Array<ArrayBuffer>;
  /** Sum over cohorts of their examples, not discounted: a stale cohort makes the step smaller, not others louder. */
  totalExamples: number;
  /** Updates in the buffer; it is full when there are K. */
  updates: number;
}

/** s = 1 / sqrt(1 + staleness), for a cohort whose base is `staleness` versions old. */
export function stalenessDiscount(staleness: number): number {
  if (!Number.isSafeInteger(staleness) || staleness < 0) {
    throw new RangeError(`fedBuff: staleness must be an integer of at least 0, got ${staleness}`);
  }
  return 1 / Math.sqrt(1 + staleness);
}

function init(length: number): FedBuffState {
  return { sum: new Float64Array(length), totalExamples: 0, updates: 0 };
}

function addCohort(state: FedBuffState, cohort: FedAvgState, staleness: number): void {
  if (cohort.sum.length !== state.sum.length) {
    throw new RangeError(`fedBuff: a sum of ${state.sum.length} values expected, got ${cohort.sum.length}`);
  }
  const discount = stalenessDiscount(staleness);
  for (let i = 0; i < state.sum.length; i++) state.sum[i]! += discount * cohort.sum[i]!;
  state.totalExamples += cohort.totalExamples;
  state.updates += cohort.updates;
}

function mean(state: FedBuffState): Float64Array<ArrayBuffer> {
  if (state.totalExamples === 0) throw new RangeError("fedBuff: the mean of an empty buffer is not defined");
  return state.sum.map((value) => value / state.totalExamples);
}

/**
 * Buffered asynchronous aggregation (Nguyen et al. 2022, https://arxiv.org/abs/2106.06639) by cohorts: all members of
 * a sum had the same base, so staleness is one public number for each, and no single update is needed.
 */
export const fedBuff = Object.freeze({
  /** An empty buffer for vectors of this length. */
  init,
  /** Adds a cohort's weighted sum of updates. */
  addCohort,
  /** What a server optimizer gets: sum of s(staleness) S_c / sum of W_c; RangeError when nothing was added. */
  mean,
});
