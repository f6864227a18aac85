import { failure, TributaryError } from "@tributary/core";
import type { FedAvgState } from "@tributary/aggregation";
import { decodeSum, type CohortSum, type EncodingPlan } from "@tributary/secagg";
import { l2Norm, maxAbs, scaleInto } from "@tributary/tensor";
import { fromSecureSegments, type TrainingTotals } from "../secure-vector.ts";

export interface CheckedSum {
  readonly weights: FedAvgState;
  readonly statistics: FedAvgState;
  readonly totals: TrainingTotals;
}

/** What the plan allows an update, and so, by its examples, a sum. */
export interface SumLimits {
  /** L2 norm of the weights. */
  readonly maxUpdateNorm: number;
  /** Of one statistic. */
  readonly maxStatisticChange: number;
}

/**
 * Reads a cohort's sum, and drops one that honest members cannot have made: nobody sees their updates one by one, so
 * what holds for each is held of all together.
 *
 * @throws `round/secure-sum-refused`
 */
export function checkCohortSum(
  encoding: EncodingPlan,
  { sum: codes, contributors }: Pick<CohortSum, "sum" | "contributors">,
  { maxUpdateNorm, maxStatisticChange }: SumLimits,
): CheckedSum {
  const members = contributors.length;
  const { maxWeight } = encoding.spec;
  const { weights, statistics, totals } = fromSecureSegments(decodedSum(encoding, codes, members));
  const { examples, correct, steps, lossSum } = totals;
  if (!(examples > 0 && examples <= members * maxWeight)) {
    throw refused(`${examples} examples of ${members} members`, { examples, members });
  }
  if (correct > examples) throw refused(`${correct} of ${examples} examples correct`, { correct, examples });
  // What is left out here, that no total is below zero or above what so many members can have, is in the decoding.
  if (steps < members) throw refused(`${steps} steps of ${members} members`, { steps, members });
  const { segment, step } = encoding.segments.find((each) => each.segment.name === "loss-sum")!;
  const mostLoss =
    segment.codec === "reals" ? (examples / maxWeight) * segment.maximum + members * step : Infinity;
  if (lossSum > mostLoss) throw refused(`a loss of ${lossSum}, at most ${mostLoss}`, { lossSum, mostLoss });
  // Each member rounds each coordinate by less than one step.
  const slack = members * encoding.segments[0]!.step * Math.sqrt(weights.length);
  const limit = (examples / maxWeight) * maxUpdateNorm + slack;
  const norm = l2Norm(weights);
  if (!(norm <= limit)) throw refused(`norm ${norm}, at most ${limit}`, { norm, limit });
  if (statistics.length > 0) {
    const largest = (examples / maxWeight) * maxStatisticChange + members * encoding.segments[1]!.step;
    const change = maxAbs(statistics);
    if (!(change <= largest)) {
      throw refused(`a statistic that changes by ${change}, at most ${largest}`, { change, limit: largest });
    }
  }
  // Members sum (examples / maxWeight) x update.
  scaleInto(weights, maxWeight);
  scaleInto(statistics, maxWeight);
  const counted = { totalExamples: examples, updates: members };
  return { weights: { sum: weights, ...counted }, statistics: { sum: statistics, ...counted }, totals };
}

/**
 * A sum that leaves the range of so many codes is one that honest members cannot have made, like the others.
 *
 * @throws `round/secure-sum-refused`
 */
export function decodedSum(
  encoding: EncodingPlan,
  codes: Uint32Array,
  members: number,
): Float64Array<ArrayBuffer>[] {
  try {
    return decodeSum(encoding, codes, members) as Float64Array<ArrayBuffer>[];
  } catch (cause) {
    if (!TributaryError.is(cause) || cause.code !== "secagg/value-out-of-range") throw cause;
    throw failure("round/secure-sum-refused", cause.message, { cause, detail: cause.detail });
  }
}

function refused(what: string, detail: Record<string, number>): TributaryError {
  return failure("round/secure-sum-refused", `rounds: the decoded sum has ${what}`, { detail });
}
