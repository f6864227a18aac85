import { elementCount } from "../tensor.ts";

/** How a server's step is rounded: to 8 bits or to 4. */
export type StepPrecision = "int8" | "int4";

/** A step of one tensor: `scale * value`, a scale for each channel. */
export interface QuantizedStep {
  /** One for each channel; float32 numbers whose lower 16 bits are zero. A channel that does not move has 0. */
  readonly scales: Float32Array<ArrayBuffer>;
  readonly values: Int8Array<ArrayBuffer>;
}

/** Rows that are shorter share one scale, which would cost more than it gains. */
const MIN_CHANNEL_VALUES = 16;
/** Engines may flush what is far smaller. */
const SMALLEST_SCALE = 2 ** -100;

/**
 * `peak`: the largest integer. `spread`: integers that the channel's root mean square is worth at most, since a few large values
 * must not make all the others cost eight bits: rounding to an eighth of the root mean square leaves 3.6 % of the step to the next
 * round, at 5 bits a value.
 */
const PRECISIONS = { int8: { peak: 127, spread: 8 }, int4: { peak: 7, spread: 2 } } as const;

/** Output channels lie along the first axis. */
export function stepChannels(shape: readonly number[]): number {
  const [channels = 1] = shape;
  const count = elementCount(shape);
  return shape.length >= 2 && count >= MIN_CHANNEL_VALUES * channels && count > 0 ? channels : 1;
}

/** Rounds a step to integers. What rounding leaves out is `step - scale * value`: the caller keeps it. */
export function quantizeStep(
  step: Float32Array,
  shape: readonly number[],
  precision: StepPrecision,
): QuantizedStep {
  const { peak, spread } = PRECISIONS[precision];
  const channels = stepChannels(shape);
  const inner = step.length / channels;
  const scales = new Float32Array(channels);
  const values = new Int8Array(step.length);
  for (let channel = 0; channel < channels; channel++) {
    const [from, to] = [channel * inner, (channel + 1) * inner];
    let [largest, squares] = [0, 0];
    for (let i = from; i < to; i++) {
      largest = Math.max(largest, Math.abs(step[i]!));
      squares += step[i]! ** 2;
    }
    const scale = roundUp(Math.max(largest / peak, Math.sqrt(squares / inner) / spread));
    scales[channel] = scale;
    if (scale === 0) continue;
    for (let i = from; i < to; i++) values[i] = Math.max(-peak, Math.min(peak, Math.round(step[i]! / scale)));
  }
  return { scales, values };
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** To a float32 whose lower half is zero; 0 where it is too small, or too large to be rounded up. */
function roundUp(scale: number): number {
  if (!(scale >= SMALLEST_SCALE)) return 0;
  float[0] = scale;
  bits[0] = (bits[0]! + 0xffff) & 0xffff_0000;
  return Number.isFinite(float[0]!) ? float[0] : 0;
}

/**
 * The weights after the step, in place: w' = float32(w + float32(scale * value)), the same bits on every engine. Where the value is
 * 0 the weight keeps its bits.
 */
export function applyQuantizedStep(weights: Float32Array, { scales, values }: QuantizedStep): void {
  const inner = values.length / scales.length;
  for (let channel = 0; channel < scales.length; channel++) {
    const scale = scales[channel]!;
    for (let i = channel * inner; i < (channel + 1) * inner; i++) {
      if (values[i] !== 0) weights[i] = weights[i]! + Math.fround(scale * values[i]!);
    }
  }
}
