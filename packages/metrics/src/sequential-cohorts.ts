import type { DifferenceReading } from "./sequential-difference.ts";

/**
 * Whether treated cohorts lie above control cohorts by more than a margin, looked at as often as one likes.
 *
 * Of a masked sum one mean is known, over all devices of the cohort, so that the cohort is what counts: each of treated devices is
 * compared with the one of control devices that came nearest to it. The differences are taken to be normal, as means over a cohort of
 * sixteen and more nearly are; their spread is not known. The interval is that of Student's t-statistic mixed over normal effect sizes,
 * a test martingale of the reduced data (Lai, "On confidence sequences", Annals of Statistics 4, 1976; Hendriksen, de Heide and Grünwald,
 * "Optional stopping with Bayes factors", Bayesian Analysis 16, 2021; Wang and Ramdas, "Anytime-valid t-tests and confidence sequences
 * for Gaussian means with unknown variance", 2024).
 */
export interface SequentialCohorts {
  readonly pairs: number;
  readonly treatedSum: number;
  readonly controlSum: number;
  /** Sum of squared deviations of the differences from their mean. */
  readonly squares: number;
}

/** Standard deviation of the effect sizes that are mixed over, in standard deviations of a difference. */
const EFFECT = 2;
/** Of a difference, where fewer was seen: few cohorts may be alike by chance. More than there is only makes it slower to decide. */
const LEAST_DEVIATION = 0.01;

export const NO_COHORTS: SequentialCohorts = Object.freeze({
  pairs: 0,
  treatedSum: 0,
  controlSum: 0,
  squares: 0,
});

export function observeCohorts(
  before: SequentialCohorts,
  pair: { readonly treated: number; readonly control: number },
): SequentialCohorts {
  const { pairs, treatedSum, controlSum, squares } = before;
  const after = { treatedSum: treatedSum + pair.treated, controlSum: controlSum + pair.control };
  const difference = pair.treated - pair.control;
  const [mean, next] = [
    pairs === 0 ? 0 : (treatedSum - controlSum) / pairs,
    (after.treatedSum - after.controlSum) / (pairs + 1),
  ];
  return { ...after, pairs: pairs + 1, squares: squares + (difference - mean) * (difference - next) };
}

/** As of `readDifference`; the e-values are against the mean being the margin, on the side that was seen. */
export function readCohorts(
  { pairs, treatedSum, controlSum, squares }: SequentialCohorts,
  { margin, alpha }: { readonly margin: number; readonly alpha: number },
): DifferenceReading {
  const unknown = { lower: -1, upper: 1, worse: 1, notWorse: 1 };
  if (pairs === 0) return { treated: null, control: null, difference: null, ...unknown };
  const [treated, control] = [treatedSum / pairs, controlSum / pairs];
  const difference = treated - control;
  const known = { treated, control, difference };
  const degrees = pairs - 1;
  const spread = 1 + pairs * EFFECT ** 2;
  if (degrees === 0) return { ...known, ...unknown };
  const error = Math.max(LEAST_DEVIATION, Math.sqrt(squares / degrees)) / Math.sqrt(pairs);
  const t = (difference - margin) / error;
  const square = (t * t) / degrees;
  const evidence = spread ** -0.5 * ((1 + square) / (1 + square / spread)) ** (pairs / 2);
  const limit = (spread / alpha ** 2) ** (1 / pairs);
  const half = limit < spread ? error * Math.sqrt((degrees * (limit - 1)) / (1 - limit / spread)) : 1;
  return {
    ...known,
    lower: Math.max(-1, difference - half),
    upper: Math.min(1, difference + half),
    worse: t > 0 ? evidence : 1,
    notWorse: t < 0 ? evidence : 1,
  };
}
