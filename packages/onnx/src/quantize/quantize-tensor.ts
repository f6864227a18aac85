import type { QuantizationScale, WeightReport } from "./options.ts";

/** What the integers of a type can express; symmetric int8 leaves -128 out, so that negation is exact. */
export const INTEGER_RANGES = {
  int8: { min: -127, max: 127, lowest: -128 },
  uint8: { min: 0, max: 255, lowest: 0 },
  int4: { min: -8, max: 7, lowest: -8 },
} as const;

const REDUCED_PEAK = 64;

export type IntegerType = keyof typeof INTEGER_RANGES;

/** Integers of a tensor, one byte each, in the tensor's order. */
export interface QuantizedTensor extends QuantizationScale {
  readonly integers: Int16Array;
  readonly report: WeightReport;
}

export interface GroupedValues {
  readonly name: string;
  readonly values: Float32Array;
  /** Group of element i; groups share a scale. */
  readonly groupOf: (i: number) => number;
  readonly groups: number;
}

export interface TensorQuantization {
  readonly type: IntegerType;
  readonly symmetric: boolean;
  /**
   * int8 as 7 bits, -64 to 64: x86 without VNNI adds pairs of products in int16, where 255 times 64 twice still fits.
   */
  readonly reducedRange?: boolean;
  readonly frozen?: QuantizationScale | undefined;
  /** A scale is never smaller than this, by group: what a bias in int32 needs. */
  readonly smallest?: ArrayLike<number>;
}

/** Rounds a weight to integers: x ≈ scale·(q − zeroPoint), ties to even as onnxruntime does. */
export function quantizeTensor(input: GroupedValues, how: TensorQuantization): QuantizedTensor {
  const { values, groupOf, groups, name } = input;
  const { scales, zeroPoints } = how.frozen ?? freshScales(input, how);
  if (scales.length !== groups) {
    throw new RangeError(
      `quantize: frozenScales has ${scales.length} scales for "${name}", expected ${groups}; start a new chain`,
    );
  }
  const { floor, max } = limitsOf(how);
  const integers = new Int16Array(values.length);
  let [saturated, error, norm] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const group = groupOf(i);
    const [scale, zero, value] = [scales[group]!, zeroPoints[group]!, values[i]!];
    const exact = value / scale + zero;
    const integer = Math.max(floor, Math.min(max, roundTiesToEven(exact)));
    // Half a step beyond the end is rounding, more is not.
    if (exact > max + 0.5 || exact < floor - 0.5) saturated += 1;
    integers[i] = integer;
    error += (scale * (integer - zero) - value) ** 2;
    norm += value ** 2;
  }
  const report = {
    name,
    relativeError: norm === 0 ? 0 : Math.sqrt(error / norm),
    saturatedShare: values.length === 0 ? 0 : saturated / values.length,
  };
  return { integers, scales, zeroPoints, report };
}

function limitsOf({ type, symmetric, reducedRange }: TensorQuantization): { floor: number; max: number } {
  if (reducedRange === true) return { floor: -REDUCED_PEAK, max: REDUCED_PEAK };
  const { min, max, lowest } = INTEGER_RANGES[type];
  return { floor: symmetric ? min : lowest, max };
}

function freshScales(input: GroupedValues, how: TensorQuantization): QuantizationScale {
  const { values, groupOf, groups } = input;
  const low = new Float64Array(groups);
  const high = new Float64Array(groups);
  for (let i = 0; i < values.length; i++) {
    const group = groupOf(i);
    if (values[i]! < low[group]!) low[group] = values[i]!;
    if (values[i]! > high[group]!) high[group] = values[i]!;
  }
  const pairs = Array.from({ length: groups }, (_, group) =>
    scaleOf({ min: low[group]!, max: high[group]! }, how, how.smallest?.[group] ?? 0),
  );
  return { scales: pairs.map(({ scale }) => scale), zeroPoints: pairs.map(({ zeroPoint }) => zeroPoint) };
}

/** Scale (a float32) and zero point for a range. */
export function scaleOf(
  range: { readonly min: number; readonly max: number },
  { type, symmetric, reducedRange }: Pick<TensorQuantization, "type" | "symmetric" | "reducedRange">,
  smallest = 0,
): { readonly scale: number; readonly zeroPoint: number } {
  const { max, lowest } = INTEGER_RANGES[type];
  if (type === "int4" && symmetric) {
    // The larger side gets the -8 that the smaller one does without: 1/16 finer than dividing by 7.
    const peak = range.max > -range.min ? range.max : range.min;
    return { scale: Math.fround(peak / -8) || 1, zeroPoint: 0 };
  }
  if (symmetric) {
    const middle = type === "uint8" ? 128 : 0;
    const scale = Math.max(
      Math.max(-range.min, range.max) / (reducedRange === true ? REDUCED_PEAK : 127),
      smallest,
    );
    return { scale: normal(scale), zeroPoint: middle };
  }
  const scale = normal(Math.max((range.max - range.min) / (max - lowest), smallest));
  const zeroPoint = Math.max(lowest, Math.min(max, roundTiesToEven(lowest - range.min / scale)));
  return { scale, zeroPoint };
}

/** As float32, and 1 where a range is empty or too small to divide by. */
function normal(scale: number): number {
  const rounded = Math.fround(scale);
  return rounded < 2 ** -100 ? 1 : rounded;
}

export function roundTiesToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
