import { evaluationMetrics, pairedMetrics } from "@tributary/metrics";
import { MAX_FIXED_CODES, type MetricDocument, type TaskSpec } from "@tributary/protocol";

type Bounds = MetricDocument extends infer Metric
  ? Metric extends { readonly kind: "counter" }
    ? Omit<Metric, "name" | "kind">
    : never
  : never;

/** Steps of the largest difference that one example may have. */
const STEPS_OF_DIFFERENCE = 1024;

/** What devices tell of their examples: with a candidate, or for a gate, both versions on the same ones; else the released one. */
export function exampleMetrics(spec: TaskSpec): readonly MetricDocument[] {
  const { maxExamples } = spec.local;
  const { maxExampleLoss } = spec.secureAggregation;
  const { maxLossDifference } = spec.evaluation;
  const real = (largest: number, signed = false): Bounds => ({
    values: "real",
    minimum: signed ? -maxExamples * largest : 0,
    maximum: maxExamples * largest,
  });
  const whole: Bounds = { values: "integer", minimum: 0, maximum: maxExamples };
  // Most devices have far fewer examples than they may: what is squared must be told finely beside its bound.
  const squared = (maximum: number, finest: number, signed = false): Bounds => {
    const minimum = signed ? -maximum : 0;
    return {
      values: "fixed",
      minimum,
      maximum,
      step: Math.max(finest, 2 ** Math.ceil(Math.log2((maximum - minimum) / MAX_FIXED_CODES))),
    };
  };
  const largest = maxExamples * maxLossDifference;
  const fine = maxLossDifference / STEPS_OF_DIFFERENCE;
  const bounds: { readonly [Name in keyof typeof pairedMetrics.specs]: Bounds } = {
    examples: whole,
    currentLoss: real(maxExampleLoss),
    currentCorrect: whole,
    candidateLoss: real(maxExampleLoss),
    candidateCorrect: whole,
    difference: real(maxLossDifference, true),
    differenceSquares: real(maxLossDifference ** 2),
    lost: whole,
    gained: whole,
    deviceExampleSquares: squared(maxExamples ** 2, 1),
    deviceDifferenceSquares: squared(largest ** 2, fine ** 2),
    deviceDifferenceProducts: squared(maxExamples * largest, fine, true),
    deviceGainSquares: squared(maxExamples ** 2, 1),
    deviceGainProducts: squared(maxExamples ** 2, 1, true),
  };
  const names = Object.keys(
    (isPaired(spec) ? pairedMetrics : evaluationMetrics).specs,
  ) as (keyof typeof bounds)[];
  return names.map((name): MetricDocument => ({ name, kind: "counter", ...bounds[name] }));
}

/** Whether what devices measure for a task compares two versions. */
function isPaired({ kind, candidate }: TaskSpec): boolean {
  return kind === "train" || candidate !== null;
}

/** Whether a plan compares two versions, and by other metrics than this version of the software reads. */
export function isOutdatedComparison(metrics: readonly MetricDocument[]): boolean {
  const names = metrics.map(({ name }) => name);
  return names.includes("difference") && names.join() !== Object.keys(pairedMetrics.specs).join();
}
