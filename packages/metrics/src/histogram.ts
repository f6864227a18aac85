import { binCount, binOf, logBins, type Bins } from "./bins.ts";

/** Counts over fixed bins. Counts may be sums over devices, and so floating-point. */
export interface Histogram {
  readonly bins: Bins;
  readonly counts: Float64Array;
}

/** 0.1 ms to 100 s, ten bins per decade: a quantile is off by at most 26 %, usually far less. */
export const LATENCY_BINS: Bins = logBins({ from: 0.1, to: 100_000, perDecade: 10 });

export function createHistogram(bins: Bins, counts = new Float64Array(binCount(bins))): Histogram {
  if (counts.length !== binCount(bins)) {
    throw new RangeError(`histogram: ${binCount(bins)} counts expected, got ${counts.length}`);
  }
  return { bins, counts };
}

/** Counts a value once, or `times` times. */
export function observe(histogram: Histogram, value: number, times = 1): void {
  histogram.counts[binOf(histogram.bins, value)]! += times;
}

export function total(histogram: Histogram): number {
  let sum = 0;
  for (const count of histogram.counts) sum += count;
  return sum;
}

/**
 * The value below which a share `q` (0 to 1) of the counts lies, interpolated within its bin; values outside all
 * edges count as the nearest edge. Undefined for an empty histogram.
 */
export function quantile(histogram: Histogram, q: number): number | undefined {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile: q from 0 to 1 expected, got ${q}`);
  const { bins, counts } = histogram;
  const { edges } = bins;
  const all = total(histogram);
  if (!(all > 0)) return undefined;
  const rank = q * all;
  let below = 0;
  let bin = 0;
  while (bin < counts.length - 1 && (counts[bin]! <= 0 || below + counts[bin]! < rank)) {
    below += counts[bin]!;
    bin++;
  }
  const last = edges.length - 1;
  if (bin === 0) return edges[0];
  // Rounding of fractional counts can run past the last filled bin: its upper edge is the answer.
  if (bin > last) return edges[last];
  const [low, high] = [edges[bin - 1]!, edges[bin]!];
  const share = Math.min(1, Math.max(0, (rank - below) / counts[bin]!));
  return bins.spacing === "log" ? low * (high / low) ** share : low + (high - low) * share;
}
