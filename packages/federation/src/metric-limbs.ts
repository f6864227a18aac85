import type { MetricDocument } from "@tributary/protocol";

// A fixed-point metric under masks: its code, a whole number of up to 52 bits, is told in limbs that each add within the 32 bits
// of a ring; the sum of the codes follows from the sums of the limbs.

export type FixedMetric = Extract<MetricDocument, { readonly values: "fixed" }>;

export interface LimbLayout {
  /** Of each limb. */
  readonly bits: number;
  /** Limbs, the least first. */
  readonly count: number;
}

/** As few limbs as hold every code, all of one width. @param maxBits that a ring has room for */
export function limbLayout(metric: FixedMetric, maxBits: number): LimbLayout {
  const bits = bitsOf(codeOf(metric, metric.maximum));
  const count = Math.ceil(bits / maxBits);
  return { bits: Math.ceil(bits / count), count };
}

/** Limbs of a value within the metric's bounds, rounded to a step. */
export function splitLimbs(
  metric: FixedMetric,
  value: number,
  layout: LimbLayout,
): Float64Array<ArrayBuffer> {
  return limbsOf(codeOf(metric, value), layout);
}

/** The sum of so many devices' values, from the sums of their limbs. */
export function joinLimbs(
  metric: FixedMetric,
  sums: Float64Array,
  layout: Pick<LimbLayout, "bits">,
  devices: number,
): number {
  // Limb by limb, so that a sum that is small beside its bounds loses no digits.
  const zero = limbsOf(codeOf(metric, 0), { ...layout, count: sums.length });
  let code = 0;
  for (let i = sums.length - 1; i >= 0; i--) code = code * 2 ** layout.bits + (sums[i]! - devices * zero[i]!);
  return code * metric.step;
}

function codeOf({ minimum, step }: FixedMetric, value: number): number {
  return Math.round(value / step) - Math.round(minimum / step);
}

function limbsOf(code: number, { bits, count }: LimbLayout): Float64Array<ArrayBuffer> {
  const limbs = new Float64Array(count);
  let rest = code;
  for (let i = 0; i < count; i++) {
    limbs[i] = rest % 2 ** bits;
    rest = Math.floor(rest / 2 ** bits);
  }
  return limbs;
}

function bitsOf(code: number): number {
  return Math.max(1, Math.ceil(Math.log2(code + 1)));
}
