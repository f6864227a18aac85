import { counter, metricSchema, readMetrics, type MetricVector } from "./schema.ts";

/** What a device reports about its local training; the sum over a cohort gives the cohort's mean loss and accuracy. */
export const trainingMetrics = metricSchema({
  /** Sum of the loss over the examples of the last local epoch. */
  lossSum: counter,
  /** How many of those examples were classified correctly. */
  correct: counter,
  /** How many examples both sums are over. */
  examples: counter,
  /** Optimizer steps taken, all epochs. */
  steps: counter,
});

export interface TrainingSummary {
  /** Mean over examples; null without examples. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly examples: number;
  readonly steps: number;
}

/** Means from a vector, or a sum of vectors, of `trainingMetrics`. */
export function summarizeTraining(vector: MetricVector): TrainingSummary {
  const { lossSum, correct, examples, steps } = readMetrics(trainingMetrics, vector).counters;
  const mean = (sum: number): number | null => (examples > 0 ? sum / examples : null);
  return { loss: mean(lossSum), accuracy: mean(correct), examples, steps };
}
