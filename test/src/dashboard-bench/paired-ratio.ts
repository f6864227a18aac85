/** One round with viewers and one without, right after one another. */
export interface Pair {
  readonly with: number;
  readonly without: number;
}

export interface RatioEstimate {
  readonly median: number;
  /** Of a 95 % interval of the median; it assumes nothing of how the ratios are spread. */
  readonly lower: number;
  readonly upper: number;
}

/** How much more the one of each pair took: what slows both alike, such as another process, is no part of it. */
export function pairedRatio(pairs: readonly Pair[]): RatioEstimate {
  const ratios = pairs.map((pair) => pair.with / pair.without).toSorted((a, b) => a - b);
  const n = ratios.length;
  if (n === 0) return { median: Number.NaN, lower: Number.NaN, upper: Number.NaN };
  const middle = (n - 1) / 2;
  const rank = intervalRank(n);
  return {
    median: (ratios[Math.floor(middle)]! + ratios[Math.ceil(middle)]!) / 2,
    lower: ratios[rank]!,
    upper: ratios[n - 1 - rank]!,
  };
}

/**
 * How many of the least, and of the largest, values the interval leaves out: each lies beyond the median with the chance of a coin, and more than so
 * many of n do with a chance of 2.5 % at most. With fewer than six values nothing can be left out.
 */
export function intervalRank(n: number): number {
  let below = 0;
  let chance = 0.5 ** n;
  for (let rank = 0; rank < n; rank += 1) {
    below += chance;
    if (below > 0.025) return Math.max(0, rank - 1);
    chance *= (n - rank) / (rank + 1);
  }
  return 0;
}

/** Which of a pair comes first, so that what grows with time counts for neither. */
export function orderOf(pair: number): readonly (keyof Pair)[] {
  return pair % 2 === 0 ? ["without", "with"] : ["with", "without"];
}
