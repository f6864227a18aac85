import { total, type Histogram } from "./histogram.ts";

/**
 * How far the values of today lie from those of a reference, from counts in the same bins.
 *
 * Each figure comes with what it would be had nothing drifted: a finite sample never has exactly the shares of another one. That holds
 * for values that are independent of each other; those of one device are alike, so that of few devices more than this is still noise.
 */
export interface Drift {
  /** Population stability index, in nats: 0 for the same shares; by custom below 0.1 little, above 0.25 much (Siddiqi 2006). */
  readonly psi: number;
  /** The PSI expected of two samples of these sizes without drift. */
  readonly psiExpected: number;
  /** Without drift the PSI is below this in 95 of 100 cases. */
  readonly psiLimit: number;
  /**
   * The Kolmogorov-Smirnov distance seen through the bins: the largest difference between the two cumulative shares at an edge, 0 to 1,
   * at most that of the values themselves. undefined where bins have no order, such as classes.
   */
  readonly ks: number | undefined;
  /** The distance expected without drift. */
  readonly ksExpected: number | undefined;
  /** Without drift the distance is below this in at least 95 of 100 cases; bins only make it smaller. */
  readonly ksLimit: number | undefined;
  /** Bins that either has values in: what the PSI is over. */
  readonly bins: number;
  /** Values of the reference, and of today. */
  readonly referenceCount: number;
  readonly count: number;
}

/**
 * Added to each bin that either side has values in, on both sides, so that no share is 0 and its logarithm finite: the
 * Jeffreys prior of a multinomial, the estimator of Krichevsky and Trofimov (1981).
 */
const SMOOTHING = 0.5;

/** Of the standard normal distribution, and of Kolmogorov's: mean sqrt(pi / 2) ln 2 (Marsaglia, Tsang and Wang 2003). */
const NORMAL_95 = 1.6448536269514722;
const KOLMOGOROV_MEAN = Math.sqrt(Math.PI / 2) * Math.LN2;
const KOLMOGOROV_95 = 1.3580986393225507;

/**
 * Drift of `observed` against `reference`.
 *
 * @param options.ordered whether the order of the bins means anything; of classes it does not
 * @returns undefined where either holds nothing
 * @throws RangeError where their bins differ
 */
export function driftOf(
  reference: Histogram,
  observed: Histogram,
  { ordered = true }: { readonly ordered?: boolean } = {},
): Drift | undefined {
  const { edges } = reference.bins;
  if (edges.length !== observed.bins.edges.length || edges.some((edge, i) => edge !== observed.bins.edges[i]))
    throw new RangeError(
      `drift: the same bins expected, got ${edges.length} and ${observed.bins.edges.length} edges`,
    );
  const [n, m] = [total(reference), total(observed)];
  if (!(n > 0) || !(m > 0)) return undefined;
  const filled = [...reference.counts.keys()].filter(
    (bin) => reference.counts[bin]! > 0 || observed.counts[bin]! > 0,
  );
  // Of a chi-squared variable with one degree of freedom less than bins (Yurdakul and Naranjo 2020).
  const scale = 1 / n + 1 / m;
  const freedom = filled.length - 1;
  return {
    psi: stabilityIndex(filled, reference, observed),
    psiExpected: scale * freedom,
    psiLimit: scale * chiSquared95(freedom),
    ks: ordered ? largestGap(reference.counts, observed.counts, n, m) : undefined,
    ksExpected: ordered ? KOLMOGOROV_MEAN * Math.sqrt(scale) : undefined,
    ksLimit: ordered ? KOLMOGOROV_95 * Math.sqrt(scale) : undefined,
    bins: filled.length,
    referenceCount: n,
    count: m,
  };
}

/** Sum of (q - p) ln(q / p), the symmetric divergence of Jeffreys (1946); p and q are smoothed shares. */
function stabilityIndex(filled: readonly number[], reference: Histogram, observed: Histogram): number {
  const added = SMOOTHING * filled.length;
  const [n, m] = [total(reference) + added, total(observed) + added];
  return filled.reduce((sum, bin) => {
    const p = (reference.counts[bin]! + SMOOTHING) / n;
    const q = (observed.counts[bin]! + SMOOTHING) / m;
    return sum + (q - p) * Math.log(q / p);
  }, 0);
}

function largestGap(a: Float64Array, b: Float64Array, n: number, m: number): number {
  let [gap, below, belowOther] = [0, 0, 0];
  for (const [bin, count] of a.entries()) {
    below += count / n;
    belowOther += b[bin]! / m;
    gap = Math.max(gap, Math.abs(below - belowOther));
  }
  return Math.min(1, gap);
}

/** The 95 % quantile of a chi-squared variable, to 3 % and better (Wilson and Hilferty 1931). */
function chiSquared95(freedom: number): number {
  if (freedom < 1) return 0;
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + NORMAL_95 * Math.sqrt(spread)) ** 3;
}
