import { failure, type SecureRandom } from "@tributary/core";
import type { EncodingPlan, PlannedSegment } from "./plan-encoding.ts";
import { rotate } from "./rotation.ts";
import { SpendableVector } from "./spendable-vector.ts";

/** What a device contributes to one sum. */
export interface Contribution {
  /** From 0 to the plan's maxWeight: scales update and state segments. */
  readonly weight: number;
  /** One array for each segment, in the plan's order, not yet weighted. */
  readonly values: readonly ArrayLike<number>[];
}

export interface ClampedShare {
  readonly segment: string;
  /** From 0 to 1: how many coordinates were beyond the bound. */
  readonly share: number;
}

export interface EncodedContribution {
  /** May be spent once. */
  readonly vector: SpendableVector;
  /** For update and state segments. */
  readonly clamped: readonly ClampedShare[];
}

/**
 * Codes of a contribution, ready to be masked. Update and state values are rounded stochastically, without bias.
 *
 * @throws TributaryError `secagg/value-out-of-range` for what is not finite, or a count or real outside its range.
 */
export function encodeContribution(
  plan: EncodingPlan,
  { weight, values }: Contribution,
  random: SecureRandom,
): EncodedContribution {
  const { spec, segments } = plan;
  if (!(weight >= 0 && weight <= spec.maxWeight)) {
    throw outOfRange("weight", `a weight from 0 to ${spec.maxWeight} expected, got ${weight}`);
  }
  if (values.length !== segments.length) {
    throw new RangeError(`encodeContribution: ${segments.length} segments expected, got ${values.length}`);
  }
  const vector = new Uint32Array(plan.vectorLength);
  const clamped: ClampedShare[] = [];
  let start = 0;
  for (const [index, planned] of segments.entries()) {
    const { segment, count } = planned;
    const source = values[index]!;
    if (source.length !== count) {
      throw new RangeError(
        `encodeContribution: ${segment.name}: ${count} values expected, got ${source.length}`,
      );
    }
    const target = vector.subarray(start, start + count);
    start += count;
    if (segment.codec === "counts") encodeCounts(target, source, planned);
    else if (segment.codec === "reals") encodeReals(target, source, planned, segment.minimum);
    else {
      const weighted = Float64Array.from(source, (value) => (weight / spec.maxWeight) * value);
      if (segment.codec === "update" && segment.rotationBlock > 1)
        rotate(weighted, segment.rotationBlock, spec.rotationSeed);
      const beyond = encodeRounded(target, weighted, planned, segment.bound, random);
      clamped.push({ segment: segment.name, share: beyond / count });
    }
  }
  return { vector: new SpendableVector(vector), clamped };
}

/** @returns how many values were clamped */
function encodeRounded(
  target: Uint32Array,
  values: Float64Array,
  { step, maxCode, segment }: PlannedSegment,
  bound: number,
  random: SecureRandom,
): number {
  const drawn = random.bytes(4 * values.length);
  const fractions = new Uint32Array(drawn.buffer, drawn.byteOffset, values.length);
  let beyond = 0;
  for (let i = 0; i < values.length; i++) {
    let value = values[i]!;
    if (!(value <= bound && value >= -bound)) {
      if (!Number.isFinite(value)) throw outOfRange(segment.name, `value ${i} is not finite`);
      beyond++;
      value = value > 0 ? bound : -bound;
    }
    // Rounded up with the probability of its fraction.
    const code = Math.floor((value + bound) / step + fractions[i]! / 2 ** 32);
    target[i] = code > maxCode ? maxCode : code;
  }
  drawn.fill(0);
  return beyond;
}

function encodeCounts(target: Uint32Array, values: ArrayLike<number>, planned: PlannedSegment): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isInteger(value) || value < 0 || value > planned.maxCode) {
      throw outOfRange(
        planned.segment.name,
        `value ${i}: an integer from 0 to ${planned.maxCode} expected, got ${value}`,
      );
    }
    target[i] = value;
  }
}

function encodeReals(
  target: Uint32Array,
  values: ArrayLike<number>,
  { step, maxCode, segment }: PlannedSegment,
  minimum: number,
): void {
  for (let i = 0; i < values.length; i++) {
    const code = Math.round((values[i]! - minimum) / step);
    if (!(code >= 0 && code <= maxCode)) {
      throw outOfRange(segment.name, `value ${i}: ${values[i]!} is outside the declared range`);
    }
    target[i] = code;
  }
}

function outOfRange(segment: string, message: string): Error {
  return failure("secagg/value-out-of-range", `secagg: ${segment}: ${message}`, { detail: { segment } });
}
