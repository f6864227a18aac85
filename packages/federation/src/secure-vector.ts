import type { EncodingSpec, Segment } from "@tributary/secagg";

// What a member's vector holds: the weights of its update, its statistics where there are any, and `trainingMetrics` as
// segments whose sums are exact. Device and coordinator lay it out by the same lines.

/** What decides the encoding of a task's updates. */
export interface SecureVectorRules {
  /** Most members of a cohort. */
  readonly clients: number;
  /** Values of the update that are weights. */
  readonly weightCount: number;
  /** Values of the update that are statistics; 0 of most tasks. */
  readonly statisticCount: number;
  readonly maxExamples: number;
  readonly maxSteps: number;
  /** Largest mean loss of a device. */
  readonly maxExampleLoss: number;
  /** Of the weights. */
  readonly maxUpdateNorm: number;
  /** Largest change of one statistic. */
  readonly maxStatisticChange: number;
  /** Bits of one value of the update. */
  readonly valueBits: number;
  /** Public; the rotation's signs come from it. */
  readonly rotationSeed: string;
}

/** Larger blocks spread an update no better, and cost more. */
const MAX_ROTATION_BLOCK = 4096;
/** A rotated coordinate beyond so many standard deviations has a chance below 10^-8: it is clamped. */
const BOUND_DEVIATIONS = 6;
const MAX_REAL_BITS = 31;
/** As exact as a float32, where so many codes fit a ring. */
const MAX_STATISTIC_BITS = 24;

/** The encoding of a plan. `planEncoding` proves that no sum wraps, or refuses. */
export function secureEncoding(rules: SecureVectorRules): EncodingSpec {
  const { clients, weightCount, statisticCount, maxExamples, maxUpdateNorm } = rules;
  const rotationBlock = Math.min(MAX_ROTATION_BLOCK, 2 ** Math.floor(Math.log2(weightCount)));
  const ringBits = 32 - Math.ceil(Math.log2(clients));
  const statistics: Segment = {
    codec: "state",
    name: "statistics",
    count: statisticCount,
    bits: Math.min(MAX_STATISTIC_BITS, ringBits),
    bound: rules.maxStatisticChange,
  };
  const segments: Segment[] = [
    {
      codec: "update",
      name: "update",
      count: weightCount,
      bits: rules.valueBits,
      // Rotated, an update of this norm has coordinates of norm / sqrt(block), one standard deviation.
      bound: Math.min(1, BOUND_DEVIATIONS / Math.sqrt(rotationBlock)) * maxUpdateNorm,
      rotationBlock,
    },
    ...(statisticCount === 0 ? [] : [statistics]),
    { codec: "counts", name: "examples-correct", count: 2, maximum: maxExamples },
    { codec: "counts", name: "steps", count: 1, maximum: rules.maxSteps },
    {
      codec: "reals",
      name: "loss-sum",
      count: 1,
      bits: Math.min(MAX_REAL_BITS, ringBits),
      minimum: 0,
      maximum: maxExamples * rules.maxExampleLoss,
    },
  ];
  return { clients, maxWeight: maxExamples, rotationSeed: rules.rotationSeed, segments };
}

/** Coordinates of `trainingMetrics`, in its order. */
export interface TrainingTotals {
  readonly lossSum: number;
  readonly correct: number;
  readonly examples: number;
  readonly steps: number;
}

/**
 * Values in the order of the segments, for `encodeContribution`.
 *
 * @param weightCount values of the update that are weights; the rest are statistics
 */
export function toSecureSegments(
  update: Float32Array,
  weightCount: number,
  totals: TrainingTotals,
): readonly ArrayLike<number>[] {
  const parts =
    weightCount === update.length
      ? [update]
      : [update.subarray(0, weightCount), update.subarray(weightCount)];
  return [...parts, [totals.examples, totals.correct], [totals.steps], [totals.lossSum]];
}

/** The other direction, for what `decodeSum` gave. */
export function fromSecureSegments(segments: readonly Float64Array<ArrayBuffer>[]): {
  readonly weights: Float64Array<ArrayBuffer>;
  /** Empty where the vector has none. */
  readonly statistics: Float64Array<ArrayBuffer>;
  readonly totals: TrainingTotals;
} {
  const [weights, ...rest] = segments;
  const statistics = rest.length === 4 ? rest.shift()! : new Float64Array(0);
  const [counts, steps, reals] = rest;
  if (weights === undefined || counts?.length !== 2 || steps?.length !== 1 || reals?.length !== 1) {
    throw new RangeError("secure vector: weights, two counts, the steps and one real expected");
  }
  return {
    weights,
    statistics,
    totals: { examples: counts[0]!, correct: counts[1]!, steps: steps[0]!, lossSum: reals[0]! },
  };
}
