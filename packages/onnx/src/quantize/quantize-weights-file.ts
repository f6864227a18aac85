import {
  parameterSlot,
  quantizedChannels,
  writeQuantizedParameters,
  type ParameterSet,
  type QuantizedChannels,
} from "@tributary/tensor";
import { quantizeTensor, scaleOf, type GroupedValues, type QuantizedTensor } from "./quantize-tensor.ts";

export interface QuantizedWeightsFile {
  /** int8 safetensors: what devices download, fold to float32 and bind to their graph. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Channels whose scale is not that of the earlier version: all of them, where there was none. */
  readonly newScales: number;
  readonly channels: number;
}

const TYPE = { type: "int8", symmetric: true } as const;
const PEAK = 127;
/** A channel may grow by so much before its scale has to be another; rounding errors are as much larger. */
const HEADROOM = 1.125;
/** Steps that a weight may lie from the integer it had; a new one lies half a step away at most. */
const NEAR_ENOUGH = 0.75;
/** A scale is too coarse when it is so many times the one that would do. */
const COARSEST = 2;

/**
 * The weights of a version at a quarter of their size. With the file of the version before, a channel keeps its scale as long as its
 * weights fit, neither beyond what the scale can express nor in less than half of it, and a weight its integer as long as that is at most
 * three quarters of a step off, so that few bytes change. It is the exact weights that are compared, always: over a chain of versions errors
 * do not add up.
 * Errors: `tensor/not-finite`, and `tensor/*` where the earlier file is not of these parameters.
 */
export function quantizeWeightsFile(set: ParameterSet, earlier?: Uint8Array): QuantizedWeightsFile {
  const before = earlier === undefined ? undefined : quantizedChannels(set.schema, earlier);
  let [newScales, channels] = [0, 0];
  const weights = set.schema
    .filter(({ shape }) => shape.length >= 2)
    .map(({ name, shape }) => {
      const { offset, length } = parameterSlot(set.schema, name);
      const [groups = 1] = shape;
      const inner = length / Math.max(1, groups);
      const values = set.values.subarray(offset, offset + length);
      const grouped = { name, values, groups, groupOf: (i: number) => Math.floor(i / inner) };
      const known = before?.get(name);
      const scales = scalesOf(grouped, inner, known?.scales);
      channels += groups;
      newScales += scales.filter((scale, i) => scale !== known?.scales[i]).length;
      const quantized = quantizeTensor(grouped, {
        ...TYPE,
        frozen: { scales, zeroPoints: scales.map(() => 0) },
      });
      if (known !== undefined) keepIntegers(quantized, grouped, known);
      return quantized;
    });
  return { bytes: fileOf(set, weights), newScales, channels };
}

/** Where the scale stayed, an integer that is near enough stays too: weights that only tremble change nothing. */
function keepIntegers(
  { integers, scales }: QuantizedTensor,
  { values, groupOf }: GroupedValues,
  known: QuantizedChannels,
): void {
  for (let i = 0; i < integers.length; i++) {
    const scale = scales[groupOf(i)]!;
    if (scale !== known.scales[groupOf(i)]) continue;
    const integer = known.values[i]!;
    if (Math.abs(values[i]! / scale - integer) <= NEAR_ENOUGH) integers[i] = integer;
  }
}

/** Of each channel: the one that it had, or a new one with some room to grow. */
function scalesOf(
  { values, groups }: Pick<GroupedValues, "values" | "groups">,
  inner: number,
  before: Float32Array | undefined,
): number[] {
  return Array.from({ length: groups }, (_, group) => {
    let max = 0;
    for (let i = group * inner; i < (group + 1) * inner; i++) max = Math.max(max, Math.abs(values[i]!));
    const { scale: tight } = scaleOf({ min: -max, max }, TYPE);
    const known = before?.[group];
    // Half a step beyond the end is rounding.
    const fits = known !== undefined && max <= (PEAK + 0.5) * known && known <= COARSEST * tight;
    if (fits) return known;
    const roomy = Math.fround(tight * HEADROOM);
    // An empty channel has no size to grow from, and the largest one no room.
    return max === 0 || !Number.isFinite(Math.fround(roomy * PEAK)) ? tight : roomy;
  });
}

function fileOf(set: ParameterSet, weights: readonly QuantizedTensor[]): Uint8Array<ArrayBuffer> {
  const channels = weights.map(({ report, integers, scales }): [string, QuantizedChannels] => [
    report.name,
    { values: Int8Array.from(integers), scales: Float32Array.from(scales) },
  ]);
  return writeQuantizedParameters(set, new Map(channels));
}
