import type { Bins } from "./bins.ts";

// What is counted of a model's inputs. Each example counts once in each histogram, however many values it has: what one device tells
// stays bounded, and an image says how bright it is and not what it shows.

/** Of an input with more values an example, mean and standard deviation are counted. */
export const MAX_SINGLE_FEATURES = 16;
/** Histograms of one model's inputs; further inputs are not counted. */
export const MAX_FEATURES = 64;
/** Of larger examples the mean and the deviation are those of so many values, evenly spaced. */
const MAX_VALUES_READ = 4096;

/** An input as a manifest has it: the first dimension is the batch, a free one is -1. */
export interface FeatureInput {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** One number of each example. */
export interface Feature {
  /** `features.<input>`, `features.<input>.<place>`, `features.<input>.mean` or `.deviation`. */
  readonly metric: string;
  readonly input: string;
  /** Place of the value within an example, or what is told of all its values. */
  readonly value: number | "mean" | "deviation";
}

/** Signed, three bins a factor of ten from 0.01 to 100,000, one in the middle: they hold whatever a plan says nothing of. */
export const FEATURE_BINS: Bins = (() => {
  const magnitudes = Array.from({ length: 22 }, (_, i) => Number((10 ** (i / 3 - 2)).toPrecision(4)));
  const edges = [...magnitudes.toReversed().map((edge) => -edge), ...magnitudes];
  return Object.freeze({ edges: Object.freeze(edges), spacing: "linear" as const });
})();

/** Names of inputs that may stand in the name of a metric as they are. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/;
const COUNTABLE = /^(float32|float64|bool|u?int(8|16|32|64))$/;

/** What is counted of a model's inputs, in their order. */
export function featuresOf(inputs: readonly FeatureInput[]): readonly Feature[] {
  const isPlain = inputs.every(({ name }) => PLAIN_NAME.test(name));
  const features = inputs.flatMap(({ name: input, dtype, shape }, at): Feature[] => {
    if (!COUNTABLE.test(dtype) || shape.length === 0) return [];
    const metric = `features.${isPlain ? input : at}`;
    const width = shape.slice(1).reduce((product, size) => product * size, 1);
    if (width === 1) return [{ metric, input, value: 0 }];
    if (shape.slice(1).includes(-1) || width > MAX_SINGLE_FEATURES) {
      return (["mean", "deviation"] as const).map((value) => ({
        metric: `${metric}.${value}`,
        input,
        value,
      }));
    }
    return Array.from({ length: width }, (_, value) => ({ metric: `${metric}.${value}`, input, value }));
  });
  return features.slice(0, MAX_FEATURES);
}

/**
 * Reads the features of one input off one example.
 *
 * @param features - of this input
 * @param data - of the input, [rows, width] flat
 * @param visit - gets NaN for what is not there
 */
export function readFeatures(
  features: readonly Feature[],
  data: ArrayLike<number | bigint>,
  { row, width }: { readonly row: number; readonly width: number },
  visit: (feature: Feature, value: number) => void,
): void {
  const from = row * width;
  let all: ReturnType<typeof momentsOf> | undefined;
  for (const feature of features) {
    const { value } = feature;
    if (typeof value === "number") visit(feature, value < width ? Number(data[from + value]) : NaN);
    else visit(feature, (all ??= momentsOf(data, from, from + width))[value]);
  }
}

function momentsOf(
  data: ArrayLike<number | bigint>,
  from: number,
  to: number,
): { readonly mean: number; readonly deviation: number } {
  const stride = Math.ceil((to - from) / MAX_VALUES_READ);
  // Around the first value, so that no small difference of large sums is left.
  const origin = Number(data[from]);
  let [count, sum, squares] = [0, 0, 0];
  for (let i = from; i < to; i += stride) {
    const off = Number(data[i]) - origin;
    count += 1;
    sum += off;
    squares += off * off;
  }
  const mean = sum / count;
  return { mean: origin + mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}

/** Bins that a reference of one feature has equal shares of: ten, and one on each side for what it has nothing of. */
const REFERENCE_BINS = 10;

/**
 * Bins by the quantiles of a reference, as they are customary for the PSI (Siddiqi 2006): fewer where it has few different values.
 *
 * @param values at least one
 */
export function quantileBins(values: ArrayLike<number>): Bins {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  if (sorted.length === 0) return FEATURE_BINS;
  const [least, most] = [sorted[0]!, sorted.at(-1)!];
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
  const inner = Array.from({ length: REFERENCE_BINS - 1 }, (_, i) => at((i + 1) / REFERENCE_BINS));
  // Just above the largest, which belongs to the reference.
  const above = most + Math.max(Math.abs(most), Math.abs(least), 1e-30) * 2 ** -20;
  const edges = [...new Set([least, ...inner, most, above])];
  // What has few values has a bin for each; of more, the largest one alone is none.
  if (edges.length > REFERENCE_BINS + 1) edges.splice(edges.indexOf(most), 1);
  return Object.freeze({ edges: Object.freeze(edges), spacing: "linear" as const });
}
