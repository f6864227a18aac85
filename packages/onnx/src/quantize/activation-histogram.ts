/** Bins over [-limit, limit]. */
export const HISTOGRAM_BINS = 4096;

/**
 * Values of one activation, counted in bins over [-limit, limit) where limit is a power of two: histograms
 * of different devices therefore share their grid and add up exactly.
 */
export interface ActivationHistogram {
  readonly min: number;
  readonly max: number;
  readonly limit: number;
  /** {@link HISTOGRAM_BINS} counts. */
  readonly counts: Float64Array;
}

export function emptyHistogram(): ActivationHistogram {
  return { min: 0, max: 0, limit: 2 ** -20, counts: new Float64Array(HISTOGRAM_BINS) };
}

/** Adds finite values; others are left out. */
export function addToHistogram(histogram: ActivationHistogram, values: Float32Array): ActivationHistogram {
  let { min, max } = histogram;
  for (const value of values) {
    if (value < min && value !== -Infinity) min = value;
    else if (value > max && value !== Infinity) max = value;
  }
  const grown = widen(histogram, limitFor(Math.max(-min, max), histogram.limit));
  const { limit, counts } = grown;
  const perUnit = HISTOGRAM_BINS / (2 * limit);
  for (const value of values) {
    if (Number.isFinite(value))
      counts[Math.min(HISTOGRAM_BINS - 1, Math.floor((value + limit) * perUnit))]! += 1;
  }
  return { min, max, limit, counts };
}

/** What both saw. */
export function mergeHistograms(a: ActivationHistogram, b: ActivationHistogram): ActivationHistogram {
  const limit = Math.max(a.limit, b.limit);
  const [x, y] = [widen(a, limit), widen(b, limit)];
  const counts = Float64Array.from(x.counts, (count, i) => count + y.counts[i]!);
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max), limit, counts };
}

function limitFor(largest: number, atLeast: number): number {
  let limit = atLeast;
  while (limit <= largest) limit *= 2;
  return limit;
}

/** Doubling the range merges pairs of bins towards the middle; a copy. */
function widen(histogram: ActivationHistogram, limit: number): ActivationHistogram {
  let counts = Float64Array.from(histogram.counts);
  for (let width = histogram.limit; width < limit; width *= 2) {
    const wider = new Float64Array(HISTOGRAM_BINS);
    for (let i = 0; i < HISTOGRAM_BINS; i++) wider[HISTOGRAM_BINS / 4 + (i >> 1)]! += counts[i]!;
    counts = wider;
  }
  return { ...histogram, limit, counts };
}
