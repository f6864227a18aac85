/**
 * Fixed bins, the same on every device, so that histograms add. Bin 0 holds what lies below the first edge, the
 * last bin what lies at or above the last one: `edges.length + 1` bins.
 */
export interface Bins {
  /** Ascending. Bin i holds edges[i-1] <= value < edges[i]. */
  readonly edges: readonly number[];
  /** How values are taken to lie within a bin: evenly, or evenly in the logarithm. */
  readonly spacing: "linear" | "log";
}

function checked(edges: number[], spacing: Bins["spacing"]): Bins {
  return Object.freeze({ edges: Object.freeze(edges), spacing });
}

/** `count` bins of one width between `from` and `to`, and the two outside. */
export function linearBins(options: { from: number; to: number; count: number }): Bins {
  const { from, to, count } = options;
  if (!(from < to) || !Number.isInteger(count) || count < 1 || count > 4096) {
    throw new RangeError(`linearBins: from < to and 1 to 4096 bins expected, got ${from}, ${to}, ${count}`);
  }
  return checked(
    Array.from({ length: count + 1 }, (_, i) => from + ((to - from) * i) / count),
    "linear",
  );
}

/** `perDecade` bins per factor of ten from `from` up to at least `to`: a relative error bound, for latencies. */
export function logBins(options: { from: number; to: number; perDecade: number }): Bins {
  const { from, to, perDecade } = options;
  if (
    !(from > 0 && from < to && to < Infinity) ||
    !Number.isInteger(perDecade) ||
    perDecade < 1 ||
    perDecade > 100
  ) {
    throw new RangeError(
      `logBins: 0 < from < to and 1 to 100 bins per decade expected, got ${from}, ${to}, ${perDecade}`,
    );
  }
  const count = Math.ceil(Math.log10(to / from) * perDecade - 1e-9);
  return checked(
    Array.from({ length: count + 1 }, (_, i) => from * 10 ** (i / perDecade)),
    "log",
  );
}

/** Number of bins, the two outer ones included. */
export function binCount(bins: Bins): number {
  return bins.edges.length + 1;
}

/** The bin of a value; NaN has none. */
export function binOf(bins: Bins, value: number): number {
  if (Number.isNaN(value)) throw new RangeError("binOf: a number expected, got NaN");
  let low = 0;
  let high = bins.edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value < bins.edges[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}
