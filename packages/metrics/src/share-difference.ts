import { shareInterval } from "./share-interval.ts";
import { studentTail } from "./student-t.ts";

/** So many degrees of freedom that Student's t is the normal distribution, to eight digits. */
const NORMAL_DEGREES = 1e8;

/** A share of so many independent examples. */
export interface CountedShare {
  /** From 0 to 1. */
  readonly share: number;
  /** At least 1. */
  readonly count: number;
}

/** The second share less the first. */
export interface ShareDifference {
  readonly difference: number;
  /** Both bounds together hold with the confidence. */
  readonly lower: number;
  readonly upper: number;
  /** Two-sided, for "the shares are the same". */
  readonly p: number;
}

/**
 * How two shares of independent samples differ: Newcombe's interval from both Wilson scores ("Interval estimation for the difference
 * between independent proportions", method 10, Statistics in Medicine 17, 1998), and the score test with the pooled share. Of the same
 * examples, where one would be wrong where the other is, both say less than could be known: they err towards no difference.
 *
 * @throws RangeError for a share outside 0 to 1, a count below 1, a confidence outside 0 to 1
 */
export function shareDifference(
  first: CountedShare,
  second: CountedShare,
  confidence: number,
): ShareDifference {
  const [a, b] = [first, second].map(({ share, count }) => shareInterval(share, count, confidence));
  const difference = second.share - first.share;
  const down = Math.hypot(second.share - b!.lower, a!.upper - first.share);
  const up = Math.hypot(b!.upper - second.share, first.share - a!.lower);
  return {
    difference,
    lower: Math.max(-1, difference - down),
    upper: Math.min(1, difference + up),
    p: pooledTest(first, second),
  };
}

function pooledTest(first: CountedShare, second: CountedShare): number {
  const count = first.count + second.count;
  const pooled = (first.share * first.count + second.share * second.count) / count;
  const variance = pooled * (1 - pooled) * (1 / first.count + 1 / second.count);
  if (!(variance > 0)) return 1;
  const z = Math.abs(second.share - first.share) / Math.sqrt(variance);
  return Math.min(1, 2 * studentTail(z, NORMAL_DEGREES));
}

/**
 * p-values of several tests, each adjusted so that the chance of any false finding among them stays below what it is held to (Holm,
 * "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979), in the order given.
 */
export function adjustedByHolm(values: readonly number[]): number[] {
  const order = [...values.keys()].toSorted((a, b) => values[a]! - values[b]!);
  const adjusted = Array.from<number>({ length: values.length });
  let before = 0;
  for (const [rank, index] of order.entries()) {
    before = Math.min(1, Math.max(before, values[index]! * (values.length - rank)));
    adjusted[index] = before;
  }
  return adjusted;
}
