/**
 * Whether the mean of treated devices lies above that of the control by more than a margin, looked at as often as one likes.
 *
 * Values lie in [0, 1]: whether a device crashed, the share of its runs above a latency. Each device counts once. The test is the
 * e-process of Turner and Grünwald for two proportions ("Exact anytime-valid confidence intervals for contingency tables and beyond",
 * Statistics and Probability Letters 198, 2023): block by block, a likelihood ratio of a guess from the blocks before against the
 * nearest pair of rates, by Kullback and Leibler, for which the hypothesis holds. Taken linear in the value, a factor's expectation
 * depends on means alone, so that it holds for shares as for yes or no.
 *
 * Why it holds: with t and c the means, a block of n treated and m control values has the expectation (1 + a(t - t0))^n
 * (1 + b(c - c0))^m. The nearest pair (t0, c0) lies on the line t - c = margin, and there na + mb = 0, so that along the line it is
 * at most 1 (log(1 + x) <= x); off the line, on the hypothesis' side, it is less. So the product starts at 1 and is not expected
 * to grow: by Ville's inequality it ever reaches 1/alpha with a probability of at most alpha, whenever one looks and stops.
 */
export interface SequentialDifference {
  /** Devices that are in the test, and the sum of their values. */
  readonly treated: Tally;
  readonly control: Tally;
  /** Values without a partner so far: a block has both sides. */
  readonly waiting: { readonly treated: readonly number[]; readonly control: readonly number[] };
  /** Ascending, from -1 to 1; the interval's bounds are among them. */
  readonly margins: readonly number[];
  /** Logarithms of e-values against "the difference is at most the margin", by margin. */
  readonly above: readonly number[];
  /** Against "the difference is at least the margin". */
  readonly below: readonly number[];
}

export interface Tally {
  readonly count: number;
  readonly sum: number;
}

/** Where bounds of the interval may lie. */
const GRID = [0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.95];
/** Most blocks that one look is cut into: the guess learns from block to block. */
const MAX_BLOCKS = 256;
/** Most values of one side for each of the other: the rest waits for those to come, for a device is watched once. */
const MOST_PARTNERS = 4;
/** Most values that wait for a partner; of more the oldest are not counted. */
const MAX_WAITING = 5_000;
/** Krichevsky and Trofimov: half a success and half a failure before the first value. */
const SMOOTHING = 0.5;
const NOTHING: Tally = Object.freeze({ count: 0, sum: 0 });

/**
 * @param margins that decisions are made by: their e-values are kept beside those of a grid, which the interval follows from
 * @param options.interval false: only decisions are wanted
 */
export function sequentialDifference(
  margins: readonly number[],
  { interval = true }: { readonly interval?: boolean } = {},
): SequentialDifference {
  for (const margin of margins) {
    if (!(margin > -1 && margin < 1))
      throw new RangeError(`sequentialDifference: margins between -1 and 1 expected, got ${margin}`);
  }
  const grid = interval ? GRID.flatMap((each) => [each, -each || 0]) : [];
  const all = [...new Set([...grid, ...margins])].sort((a, b) => a - b);
  return {
    treated: NOTHING,
    control: NOTHING,
    waiting: { treated: [], control: [] },
    margins: all,
    above: all.map(() => 0),
    below: all.map(() => 0),
  };
}

/**
 * The test after more devices. Which of them come together, and when, must not depend on their values.
 *
 * @throws RangeError for a value outside [0, 1]
 */
export function observeDifference(
  before: SequentialDifference,
  values: { readonly treated: readonly number[]; readonly control: readonly number[] },
): SequentialDifference {
  for (const value of [...values.treated, ...values.control]) {
    if (!(value >= 0 && value <= 1))
      throw new RangeError(`observeDifference: values from 0 to 1 expected, got ${value}`);
  }
  const allTreated = [...before.waiting.treated, ...values.treated].slice(-MAX_WAITING);
  const allControl = [...before.waiting.control, ...values.control].slice(-MAX_WAITING);
  const [waitingTreated, treated] = newest(allTreated, MOST_PARTNERS * allControl.length);
  const [waitingControl, control] = newest(allControl, MOST_PARTNERS * allTreated.length);
  const blocks = Math.min(treated.length, control.length, MAX_BLOCKS);
  if (blocks === 0) return { ...before, waiting: { treated: allTreated, control: allControl } };
  const above = [...before.above];
  const below = [...before.below];
  let [seenTreated, seenControl] = [before.treated, before.control];
  for (let block = 0; block < blocks; block++) {
    const [ofTreated, ofControl] = [part(treated, block, blocks), part(control, block, blocks)];
    const guess = { treated: smoothed(seenTreated), control: smoothed(seenControl) };
    for (const [i, margin] of before.margins.entries()) {
      const growth = logFactor(guess, margin, ofTreated, ofControl);
      if (guess.treated - guess.control > margin) above[i]! += growth;
      else below[i]! += growth;
    }
    seenTreated = added(seenTreated, ofTreated);
    seenControl = added(seenControl, ofControl);
  }
  return {
    ...before,
    treated: seenTreated,
    control: seenControl,
    waiting: { treated: waitingTreated, control: waitingControl },
    above,
    below,
  };
}

/** What a test says so far; e-values of 1/alpha and more decide with a probability of error of at most alpha. */
export interface DifferenceReading {
  readonly treated: number | null;
  readonly control: number | null;
  /** Treated less control. */
  readonly difference: number | null;
  /** Each bound holds at all times together with a probability of at least 1 - alpha. */
  readonly lower: number;
  readonly upper: number;
  /** Against "the difference is at most the margin": that treated devices are worse by more. */
  readonly worse: number;
  /** Against "the difference is at least the margin": that they are not worse by as much. */
  readonly notWorse: number;
}

/** @param margin one of those that the test was made with */
export function readDifference(
  test: SequentialDifference,
  { margin, alpha }: { readonly margin: number; readonly alpha: number },
): DifferenceReading {
  const at = test.margins.indexOf(margin);
  if (at < 0) throw new RangeError(`readDifference: the test was not made with the margin ${margin}`);
  const needed = -Math.log(alpha);
  const [treated, control] = [meanOf(test.treated), meanOf(test.control)];
  return {
    treated,
    control,
    difference: treated === null || control === null ? null : treated - control,
    lower: test.margins.findLast((_, i) => test.above[i]! >= needed) ?? -1,
    upper: test.margins.find((_, i) => test.below[i]! >= needed) ?? 1,
    worse: Math.exp(test.above[at]!),
    notWorse: Math.exp(test.below[at]!),
  };
}

/** The logarithm of a block's likelihood ratio: the guess against the nearest pair whose difference is the margin. */
function logFactor(
  guess: { readonly treated: number; readonly control: number },
  margin: number,
  treated: readonly number[],
  control: readonly number[],
): number {
  const nearest = nearestControl(guess, margin, treated.length, control.length);
  return logRatio(treated, guess.treated, nearest + margin) + logRatio(control, guess.control, nearest);
}

function logRatio(values: readonly number[], guess: number, against: number): number {
  const [one, zero] = [guess / against, (1 - guess) / (1 - against)];
  return values.reduce((sum, value) => sum + Math.log(value * one + (1 - value) * zero), 0);
}

/** The control's rate in the pair on the line that is nearest to the guess: where the divergence has no slope along the line. */
function nearestControl(
  guess: { readonly treated: number; readonly control: number },
  margin: number,
  n: number,
  m: number,
): number {
  let [low, high] = [Math.max(0, -margin), Math.min(1, 1 - margin)];
  for (let i = 0; i < 45; i++) {
    const middle = (low + high) / 2;
    const rate = middle + margin;
    const slope =
      n * ((1 - guess.treated) / (1 - rate) - guess.treated / rate) +
      m * ((1 - guess.control) / (1 - middle) - guess.control / middle);
    if (slope > 0) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

/** What has to wait, and at most so many of the newest. */
function newest(values: readonly number[], most: number): readonly [readonly number[], readonly number[]] {
  const at = Math.max(0, values.length - most);
  return [values.slice(0, at), values.slice(at)];
}

function part(values: readonly number[], index: number, of: number): readonly number[] {
  return values.slice(
    Math.floor((values.length * index) / of),
    Math.floor((values.length * (index + 1)) / of),
  );
}

function smoothed({ count, sum }: Tally): number {
  return (sum + SMOOTHING) / (count + 2 * SMOOTHING);
}

function meanOf({ count, sum }: Tally): number | null {
  return count === 0 ? null : sum / count;
}

function added({ count, sum }: Tally, values: readonly number[]): Tally {
  return { count: count + values.length, sum: values.reduce((total, value) => total + value, sum) };
}
