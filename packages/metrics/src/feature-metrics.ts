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
 * A feature of one example; NaN where there is none.
 *
 * @param data of the input, [rows, width] flat
 */
export function featureValue(
  { value }: Pick<Feature, "value">,
  data: ArrayLike<number | bigint>,
  row: number,
  width: number,
): number {
  const from = row * width;
  if (typeof value === "number") return value < width ? Number(data[from + value]) : NaN;
  const stride = Math.ceil(width / MAX_VALUES_READ);
  let [read, mean, squares] = [0, 0, 0];
  for (let i = 0; i < width; i += stride) {
    // Welford 1962: no difference of two large sums.
    const each = Number(data[from + i]);
    read += 1;
    const off = each - mean;
    mean += off / read;
    squares += off * (each - mean);
  }
  if (read === 0) return NaN;
  return value === "mean" ? mean : Math.sqrt(squares / read);
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
