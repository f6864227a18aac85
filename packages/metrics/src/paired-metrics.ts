import {
  count,
  counter,
  createMetrics,
  metricSchema,
  readMetrics,
  signedCounter,
  type MetricVector,
} from "./schema.ts";

/** What one version does on a device's examples; sums add over devices. */
export const evaluationMetrics = metricSchema({
  /** Examples measured. */
  examples: counter,
  /** Sum of their losses. */
  currentLoss: counter,
  /** Examples classified correctly; 0 of a loss that knows no hits. */
  currentCorrect: counter,
});

/**
 * Two versions on the same examples. d is the candidate's loss minus the current version's, of one example: what pairs
 * of measurements know, and the sums of each version alone do not.
 */
export const pairedMetrics = metricSchema({
  ...evaluationMetrics.specs,
  candidateLoss: counter,
  candidateCorrect: counter,
  /** Sum of d. */
  difference: signedCounter,
  /** Sum of d squared. */
  differenceSquares: counter,
  /** Examples that the current version has right and the candidate wrong: b of McNemar's table. */
  lost: counter,
  /** The other way round: c of McNemar's table. */
  gained: counter,
  // Of a whole device, whose examples are like each other: n its examples, D its sum of d, G its gained less its lost.
  /** Sum of n squared. */
  deviceExampleSquares: counter,
  /** Sum of D squared. */
  deviceDifferenceSquares: counter,
  /** Sum of n D. */
  deviceDifferenceProducts: signedCounter,
  /** Sum of G squared. */
  deviceGainSquares: counter,
  /** Sum of n G. */
  deviceGainProducts: signedCounter,
});

export type PairedSums = ReturnType<typeof readPaired>;

/** Sums by name, from a vector, or a sum of vectors, of `pairedMetrics`. */
export function readPaired(vector: MetricVector) {
  return readMetrics(pairedMetrics, vector).counters;
}

/** One version on one example. */
export interface MeasuredExample {
  readonly loss: number;
  readonly correct: boolean;
}

export interface PairBounds {
  /** Largest loss of one example that counts. */
  readonly maxLoss: number;
  /** Largest |d| that counts: one example must not decide alone. */
  readonly maxDifference: number;
}

/** A vector of `evaluationMetrics`. A loss beyond the bound, or that is no number, counts as the bound. */
export function evaluationVector(
  current: readonly MeasuredExample[],
  { maxLoss }: Pick<PairBounds, "maxLoss">,
): Float64Array<ArrayBuffer> {
  const vector = createMetrics(evaluationMetrics);
  for (const { loss, correct } of current) {
    count(evaluationMetrics, vector, "examples");
    count(evaluationMetrics, vector, "currentLoss", boundedLoss(loss, maxLoss));
    if (correct) count(evaluationMetrics, vector, "currentCorrect");
  }
  return vector;
}

/** A vector of `pairedMetrics`, of one device: the same examples, in the same order, by both versions. */
export function pairedVector(
  current: readonly MeasuredExample[],
  candidate: readonly MeasuredExample[],
  { maxLoss, maxDifference }: PairBounds,
): Float64Array<ArrayBuffer> {
  if (current.length !== candidate.length) {
    throw new RangeError(
      `pairedVector: ${current.length} examples expected of the candidate, got ${candidate.length}`,
    );
  }
  const vector = createMetrics(pairedMetrics);
  const add = (name: keyof PairedSums, amount: number): void => count(pairedMetrics, vector, name, amount);
  for (const [i, before] of current.entries()) {
    const after = candidate[i]!;
    const [lossBefore, lossAfter] = [boundedLoss(before.loss, maxLoss), boundedLoss(after.loss, maxLoss)];
    const d = Math.max(-maxDifference, Math.min(maxDifference, lossAfter - lossBefore));
    add("examples", 1);
    add("currentLoss", lossBefore);
    add("candidateLoss", lossAfter);
    add("currentCorrect", before.correct ? 1 : 0);
    add("candidateCorrect", after.correct ? 1 : 0);
    add("difference", d);
    add("differenceSquares", d * d);
    add("lost", before.correct && !after.correct ? 1 : 0);
    add("gained", after.correct && !before.correct ? 1 : 0);
  }
  const { examples: n, difference, lost, gained } = readPaired(vector);
  add("deviceExampleSquares", n ** 2);
  add("deviceDifferenceSquares", difference ** 2);
  add("deviceDifferenceProducts", n * difference);
  add("deviceGainSquares", (gained - lost) ** 2);
  add("deviceGainProducts", n * (gained - lost));
  return vector;
}

function boundedLoss(loss: number, maxLoss: number): number {
  return Number.isNaN(loss) ? maxLoss : Math.min(maxLoss, Math.max(0, loss));
}
