import { failure } from "@tributary/core";
import { elementCount } from "./tensor.ts";

/** Symmetric int8 with one scale per channel: value = quantized * scale, no zero point. */
export interface QuantizedChannels {
  /** In [-127, 127]. */
  readonly values: Int8Array<ArrayBuffer>;
  /** One positive float32 per index of the axis. */
  readonly scales: Float32Array<ArrayBuffer>;
}

interface Axis {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

function axisOf(shape: readonly number[], axis: number, length: number): Axis {
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw new RangeError(`quantize: axis 0 to ${shape.length - 1} expected, got ${axis}`);
  }
  const count = elementCount(shape);
  if (count !== length)
    throw new RangeError(`quantize: shape [${shape.join(", ")}] has ${count} elements, got ${length}`);
  return {
    outer: elementCount(shape.slice(0, axis)),
    channels: shape[axis]!,
    inner: elementCount(shape.slice(axis + 1)),
  };
}

/**
 * Quantizes with scale = max|channel| / 127, rounding half to even as ONNX QuantizeLinear does.
 * The error per value is at most half a scale. Throws `tensor/not-finite` for NaN or infinity.
 */
export function quantizePerChannel(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
): QuantizedChannels {
  const { outer, channels, inner } = axisOf(shape, axis, values.length);
  const scales = new Float32Array(channels);
  eachRun(outer, channels, inner, (channel, from, to) => {
    let max = scales[channel]!;
    for (let i = from; i < to; i++) {
      const magnitude = Math.abs(values[i]!);
      if (!(magnitude <= max)) max = magnitude;
      if (!(magnitude < Infinity))
        throw failure("tensor/not-finite", `quantize: value ${i} is ${values[i]}`, { detail: { index: i } });
    }
    scales[channel] = max;
  });
  for (let channel = 0; channel < channels; channel++) scales[channel] = scaleFor(scales[channel]!);
  const quantized = new Int8Array(values.length);
  eachRun(outer, channels, inner, (channel, from, to) => {
    const scale = scales[channel]!;
    for (let i = from; i < to; i++)
      quantized[i] = Math.max(-127, Math.min(127, roundHalfToEven(values[i]! / scale)));
  });
  return { values: quantized, scales };
}

/** The smallest normal float32. Engines may flush anything below to zero. */
const MIN_NORMAL = 2 ** -126;

function scaleFor(max: number): number {
  const scale = Math.fround(max / 127);
  // An all-zero (or vanishing) channel: any scale stands for zeros.
  if (scale < MIN_NORMAL) return 1;
  // Rounding up may carry 127 * scale past the largest float32.
  return Math.fround(127 * scale) === Infinity ? Math.fround(scale * (1 - 2 ** -23)) : scale;
}

/** Back to float32: exactly float32(quantized * scale). */
export function dequantizePerChannel(
  quantized: QuantizedChannels,
  shape: readonly number[],
  axis: number,
  out?: Float32Array,
): Float32Array {
  const { values, scales } = quantized;
  const { outer, channels, inner } = axisOf(shape, axis, values.length);
  if (scales.length !== channels)
    throw new RangeError(`dequantize: ${channels} scales expected, got ${scales.length}`);
  const target = out ?? new Float32Array(values.length);
  if (target.length !== values.length)
    throw new RangeError(`dequantize: an output of ${values.length} values expected, got ${target.length}`);
  eachRun(outer, channels, inner, (channel, from, to) => {
    const scale = scales[channel]!;
    for (let i = from; i < to; i++) target[i] = values[i]! * scale;
  });
  return target;
}

/** Calls back for every stretch of values that belong to one channel. */
function eachRun(
  outer: number,
  channels: number,
  inner: number,
  run: (channel: number, from: number, to: number) => void,
): void {
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let channel = 0; channel < channels; channel++) {
      run(channel, at, at + inner);
      at += inner;
    }
  }
}

function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
