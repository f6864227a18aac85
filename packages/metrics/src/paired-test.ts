import { clusteredError } from "./device-clusters.ts";
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

/** Sums over devices, and how many devices are in them. */
type Over<Name extends keyof PairedSums> = Pick<PairedSums, "examples" | "deviceExampleSquares" | Name> & {
  readonly devices: number;
};
export type LossSums = Over<"difference" | "deviceDifferenceSquares" | "deviceDifferenceProducts">;
export type AccuracySums = Over<"lost" | "gained" | "deviceGainSquares" | "deviceGainProducts">;

/**
 * The mean of d over the examples with Student's interval. Devices are independent of each other, examples of one device need not
 * be: the error is {@link clusteredError}. With one example a device it is the paired t-test's.
 *
 * @param confidence of one bound, from 0.5 to below 1
 * @returns undefined with fewer than two devices
 */
export function lossInterval(sums: LossSums, confidence: number): PairedInterval | undefined {
  const standardError = lossError(sums);
  if (standardError === undefined) return undefined;
  return interval(sums.difference / sums.examples, standardError, sums.devices - 1, confidence);
}

/**
 * The difference in accuracy. Its error is the larger of two: that of devices as clusters, as of {@link lossInterval}, and that of
 * Agresti and Min for independent examples ("Simple improved confidence intervals for comparing matched proportions", Statistics
 * in Medicine 24, 2005), Wald's after half an example was added to each cell of the table. So the interval is none too narrow
 * where few examples, or none, are discordant, and devices agree by chance.
 *
 * @param confidence of one bound, from 0.5 to below 1
 * @returns undefined with fewer than two devices
 */
export function accuracyInterval(sums: AccuracySums, confidence: number): PairedInterval | undefined {
  const { examples, devices, lost, gained } = sums;
  const clustered = accuracyError(sums);
  if (clustered === undefined) return undefined;
  const n = examples + 2;
  const mean = (gained - lost) / n;
  const independent = Math.sqrt(Math.max(0, lost + gained + 1 - n * mean * mean)) / n;
  const found = interval(mean, Math.max(clustered, independent), devices - 1, confidence);
  return { ...found, mean: (gained - lost) / examples };
}

/**
 * Two-sided p of the paired t-test for "the mean loss is the same", with devices as clusters; undefined with fewer than two devices.
 */
export function pairedTTest(sums: LossSums): number | undefined {
  const standardError = lossError(sums);
  if (standardError === undefined) return undefined;
  const { difference, examples, devices } = sums;
  if (standardError === 0) return difference === 0 ? 1 : 0;
  return Math.min(1, 2 * studentTail(Math.abs(difference / examples / standardError), devices - 1));
}

/**
 * Two-sided p of McNemar's test for "both versions err equally often" with devices as clusters: Obuchowski ("On the comparison of
 * correlated proportions for clustered data", Statistics in Medicine 17, 1998), whose statistic is (sum G)^2 / (m / (m - 1) sum G^2)
 * for G the gained less the lost examples of each of m devices, by chi-squared with one degree of freedom. Where it is smaller than
 * the p of the exact test (McNemar 1947; binomial with one half), which holds for independent examples, the exact one is given:
 * likeness within devices only takes away from what so many discordant examples say.
 *
 * @returns undefined with fewer than two devices
 */
export function mcNemarTest(
  sums: Pick<AccuracySums, "devices" | "lost" | "gained" | "deviceGainSquares">,
): number | undefined {
  const { devices, lost, gained, deviceGainSquares } = sums;
  if (!(devices >= 2)) return undefined;
  const net = Math.abs(gained - lost);
  if (net === 0 || deviceGainSquares === 0) return 1;
  const z = net / Math.sqrt((devices / (devices - 1)) * deviceGainSquares);
  return Math.max(exactMcNemar(lost, gained), Math.min(1, 2 * normalTail(z)));
}

/**
 * How many times the variance of the mean loss difference is what it would be if the examples were independent of each other:
 * the design effect (Kish, "Survey Sampling", 1965). Undefined where either is unknown or none.
 */
export function designEffect(sums: LossSums & Pick<PairedSums, "differenceSquares">): number | undefined {
  const clustered = lossError(sums);
  const { examples, difference, differenceSquares } = sums;
  const squares = differenceSquares - difference ** 2 / examples;
  if (clustered === undefined || !(squares > 0)) return undefined;
  return clustered ** 2 / (squares / (examples - 1) / examples);
}

function lossError(sums: LossSums): number | undefined {
  return clusteredError({
    devices: sums.devices,
    examples: sums.examples,
    total: sums.difference,
    exampleSquares: sums.deviceExampleSquares,
    totalSquares: sums.deviceDifferenceSquares,
    products: sums.deviceDifferenceProducts,
  });
}

function accuracyError(sums: AccuracySums): number | undefined {
  return clusteredError({
    devices: sums.devices,
    examples: sums.examples,
    total: sums.gained - sums.lost,
    exampleSquares: sums.deviceExampleSquares,
    totalSquares: sums.deviceGainSquares,
    products: sums.deviceGainProducts,
  });
}

function exactMcNemar(lost: number, gained: number): number {
  const discordant = lost + gained;
  const fewer = Math.min(lost, gained);
  if (2 * fewer === discordant) return 1;
  // P(X <= k) = I_1/2(n - k, k + 1)
  return Math.min(1, 2 * incompleteBeta(0.5, discordant - fewer, fewer + 1));
}

/** Degrees of freedom with which Student's t is the normal distribution to a millionth of a tail. */
const NORMAL_DEGREES = 1e8;

/** P(Z > z) */
function normalTail(z: number): number {
  return studentTail(z, NORMAL_DEGREES);
}

function interval(mean: number, standardError: number, degrees: number, confidence: number): PairedInterval {
  const half = standardError === 0 ? 0 : studentQuantile(confidence, degrees) * standardError;
  return { mean, lower: mean - half, upper: mean + half, standardError };
}
