import { incompleteBeta } from "./incomplete-beta.ts";
import type { PairedSums } from "./paired-metrics.ts";
import { studentQuantile, studentTail } from "./student-t.ts";

/**
 * A mean difference between two versions on the same examples: candidate minus current. Each bound holds by itself with the
 * confidence that was asked for; both together with twice that, less one.
 */
export interface PairedInterval {
  readonly mean: number;
  readonly lower: number;
  readonly upper: number;
  readonly standardError: number;
}

/**
 * The mean of d over the examples with Student's interval (the paired t-test's), from n, sum d and sum d squared. Examples
 * count as independent of each other, also those of one device.
 *
 * @param confidence of one bound, from 0.5 to below 1
 * @returns undefined with fewer than two examples: they say nothing of how much examples differ
 */
export function lossInterval(
  {
    examples,
    difference,
    differenceSquares,
  }: Pick<PairedSums, "examples" | "difference" | "differenceSquares">,
  confidence: number,
): PairedInterval | undefined {
  if (!(examples >= 2)) return undefined;
  const mean = difference / examples;
  // Sums of rounded numbers may fall below what no numbers have.
  const squares = Math.max(0, differenceSquares - examples * mean * mean);
  const standardError = Math.sqrt(squares / (examples - 1) / examples);
  return interval(mean, standardError, examples - 1, confidence);
}

/**
 * The difference in accuracy with the interval of Agresti and Min ("Simple improved confidence intervals for comparing matched
 * proportions", Statistics in Medicine 24, 2005): Wald's after half an example was added to each cell of the table, so that it
 * is none too narrow where few examples, or none, are discordant.
 *
 * @param confidence of one bound, from 0.5 to below 1
 * @returns undefined without examples
 */
export function accuracyInterval(
  { examples, lost, gained }: Pick<PairedSums, "examples" | "lost" | "gained">,
  confidence: number,
): PairedInterval | undefined {
  if (!(examples >= 1)) return undefined;
  const n = examples + 2;
  const mean = (gained - lost) / n;
  const standardError = Math.sqrt(Math.max(0, lost + gained + 1 - n * mean * mean)) / n;
  return { ...interval(mean, standardError, n - 1, confidence), mean: (gained - lost) / examples };
}

/** Two-sided p of the paired t-test for "the mean loss is the same"; undefined with fewer than two examples. */
export function pairedTTest(
  sums: Pick<PairedSums, "examples" | "difference" | "differenceSquares">,
): number | undefined {
  const found = lossInterval(sums, 0.5);
  if (found === undefined) return undefined;
  const { mean, standardError } = found;
  if (standardError === 0) return mean === 0 ? 1 : 0;
  return Math.min(1, 2 * studentTail(Math.abs(mean / standardError), sums.examples - 1));
}

/**
 * Two-sided p of McNemar's exact test for "both versions err equally often": of b + c discordant examples each is as likely
 * to be of one kind as of the other (McNemar 1947; binomial with one half).
 */
export function mcNemarTest({ lost, gained }: Pick<PairedSums, "lost" | "gained">): number {
  const discordant = lost + gained;
  const fewer = Math.min(lost, gained);
  if (discordant === 0 || 2 * fewer === discordant) return 1;
  // P(X <= k) = I_1/2(n - k, k + 1)
  return Math.min(1, 2 * incompleteBeta(0.5, discordant - fewer, fewer + 1));
}

function interval(mean: number, standardError: number, degrees: number, confidence: number): PairedInterval {
  const half = standardError === 0 ? 0 : studentQuantile(confidence, degrees) * standardError;
  return { mean, lower: mean - half, upper: mean + half, standardError };
}
