import { readMetrics, type PairedSums } from "@tributary/metrics";
import type { MeasurementPlan } from "@tributary/protocol";
import { metricSchemaOf } from "./metric-vector.ts";

/**
 * What honest devices cannot have measured, of one vector or of the sum of several: what holds for each holds for all together.
 *
 * @returns undefined where there is nothing of the kind
 */
export function impossibleIn(
  plan: Pick<MeasurementPlan, "kind" | "metrics">,
  sums: Float64Array,
  devices: number,
): { readonly what: string; readonly detail: Record<string, number> } | undefined {
  if (plan.kind !== "evaluate") return undefined;
  const counters = readMetrics(metricSchemaOf(plan.metrics), sums).counters as Partial<PairedSums>;
  const { examples = 0, currentCorrect = 0, candidateCorrect, lost = 0, gained = 0 } = counters;
  if (examples < devices)
    return { what: `${examples} examples of ${devices} devices`, detail: { examples, devices } };
  if (currentCorrect > examples) {
    return {
      what: `${currentCorrect} of ${examples} examples correct`,
      detail: { currentCorrect, examples },
    };
  }
  if (candidateCorrect === undefined) return undefined;
  if (lost + gained <= examples && gained - lost === candidateCorrect - currentCorrect)
    return impossibleSquares(counters as PairedSums, devices);
  return {
    what: `${lost} examples lost and ${gained} gained of ${examples}, with ${currentCorrect} correct before and ${candidateCorrect} after`,
    detail: { lost, gained, examples, currentCorrect, candidateCorrect },
  };
}

/** Sums of squares that are too small beside what they are squares of would make a gate surer than it may be. */
function impossibleSquares(
  sums: PairedSums,
  devices: number,
): { readonly what: string; readonly detail: Record<string, number> } | undefined {
  const { examples, lost, gained, deviceExampleSquares, deviceGainSquares } = sums;
  const net = gained - lost;
  // Squares came as float32.
  const atLeast = (squares: number, total: number): boolean =>
    squares * devices * (1 + 2 ** -20) >= total ** 2;
  if (atLeast(deviceExampleSquares, examples) && atLeast(deviceGainSquares, net)) return undefined;
  return {
    what: `${examples} examples, ${net} gained, with squares of ${deviceExampleSquares} and ${deviceGainSquares} over ${devices} devices`,
    detail: { examples, net, deviceExampleSquares, deviceGainSquares, devices },
  };
}

/** Means over the examples that were measured, of the candidate where there is one; undefined without examples. */
export function measuredOf(
  plan: MeasurementPlan,
  sums: Float64Array,
): { readonly examples: number; readonly loss: number; readonly accuracy: number | null } | undefined {
  if (plan.kind !== "evaluate") return undefined;
  const { counters } = readMetrics(metricSchemaOf(plan.metrics), sums);
  const { examples = 0, currentLoss = 0, currentCorrect = 0, ...more } = counters as Partial<PairedSums>;
  const { candidateLoss = currentLoss, candidateCorrect = currentCorrect } = more;
  if (!(examples > 0)) return undefined;
  const knowsHits = plan.evaluation.spec.noHits !== true;
  return {
    examples,
    loss: candidateLoss / examples,
    accuracy: knowsHits ? candidateCorrect / examples : null,
  };
}
