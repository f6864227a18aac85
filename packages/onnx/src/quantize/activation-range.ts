import { HISTOGRAM_BINS, type ActivationHistogram } from "./activation-histogram.ts";
import type { CalibrationMethod } from "./options.ts";

/** Always around zero, which must be exact for padding and Relu. */
export interface ActivationRange {
  readonly min: number;
  readonly max: number;
}

/** Of "percentile", where none is given. */
export const DEFAULT_PERCENTILE = 99.99;

/** The range that a method keeps. `percentile` in (50, 100]. */
export function chooseRange(
  histogram: ActivationHistogram,
  method: CalibrationMethod,
  percentile: number,
): ActivationRange {
  switch (method) {
    case "min-max":
      return { min: histogram.min, max: histogram.max };
    case "percentile":
      return percentileRange(histogram, percentile);
    case "entropy":
      return entropyRange(histogram);
  }
}

/** Divergence says nothing of how far off a clipped value is; no threshold clips a larger share than this. */
const MOST_CLIPPED = 0.001;

/** As much is cut from either end: (100 - percentile)/2 per cent of the values. */
function percentileRange(histogram: ActivationHistogram, percentile: number): ActivationRange {
  const { counts, limit, min, max } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cut = (total * (100 - percentile)) / 200;
  const width = (2 * limit) / HISTOGRAM_BINS;
  let low = 0;
  for (let seen = counts[0]!; seen <= cut && low < HISTOGRAM_BINS - 1; seen += counts[low]!) low += 1;
  let high = HISTOGRAM_BINS - 1;
  for (let seen = counts[high]!; seen <= cut && high > 0; seen += counts[high]!) high -= 1;
  return clip(histogram, {
    min: Math.max(min, low * width - limit),
    max: Math.min(max, (high + 1) * width - limit),
  });
}

/**
 * The threshold whose clipped and quantized distribution of |x| diverges least (Kullback-Leibler) from the
 * distribution seen, as TensorRT chooses it. A signed activation has 128 levels for |x|, another one 256.
 */
function entropyRange(histogram: ActivationHistogram): ActivationRange {
  const { counts, limit, min, max } = histogram;
  const half = HISTOGRAM_BINS / 2;
  const seen = Float64Array.from({ length: half }, (_, i) => counts[half + i]! + counts[half - 1 - i]!);
  // Exact zeros (Relu, padding) are represented exactly whatever the range, and would drown the rest.
  seen[0] = seen[1]!;
  const levels = min < 0 && max > 0 ? 128 : 256;
  const largest = Math.min(half, Math.ceil((Math.max(-min, max) / limit) * half));
  const total = seen.reduce((sum, count) => sum + count, 0);
  let best = { divergence: Infinity, bins: largest };
  for (let bins = Math.min(levels, largest); bins <= largest; bins += 8) {
    if (outsideOf(seen, bins) > total * MOST_CLIPPED) continue;
    const divergence = divergenceAt(seen, bins, levels);
    if (divergence < best.divergence) best = { divergence, bins };
  }
  const threshold = (best.bins * limit) / half;
  return clip(histogram, { min: Math.max(min, -threshold), max: Math.min(max, threshold) });
}

function outsideOf(seen: Float64Array, bins: number): number {
  let outside = 0;
  for (let i = bins; i < seen.length; i++) outside += seen[i]!;
  return outside;
}

function divergenceAt(seen: Float64Array, bins: number, levels: number): number {
  const kept = seen.slice(0, bins);
  const reference = kept.slice();
  reference[bins - 1]! += outsideOf(seen, bins);
  const total = reference.reduce((sum, count) => sum + count, 0);
  if (total === 0) return Infinity;
  const perLevel = bins / levels;
  const candidate = new Float64Array(bins);
  for (let level = 0; level < levels; level++) {
    const from = Math.floor(level * perLevel);
    const to = Math.max(from + 1, Math.floor((level + 1) * perLevel));
    let mass = 0;
    let filled = 0;
    for (let i = from; i < to && i < bins; i++) {
      mass += kept[i]!;
      if (reference[i]! > 0) filled += 1;
    }
    for (let i = from; i < to && i < bins; i++) if (reference[i]! > 0) candidate[i] = mass / filled;
  }
  const mass = candidate.reduce((sum, count) => sum + count, 0);
  let divergence = 0;
  for (let i = 0; i < bins; i++) {
    const p = reference[i]! / total;
    if (p > 0) divergence += p * Math.log(p / Math.max(candidate[i]! / (mass || 1), 1e-12));
  }
  return divergence;
}

function clip(histogram: ActivationHistogram, range: ActivationRange): ActivationRange {
  const { min, max } = { min: Math.min(0, range.min), max: Math.max(0, range.max) };
  return max > min ? { min, max } : { min: histogram.min, max: histogram.max };
}
