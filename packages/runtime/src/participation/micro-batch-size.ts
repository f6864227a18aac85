/** How many examples a run may take, from what runs of this training took. */

/** Of one size of runs. */
export interface MeasuredRuns {
  readonly count: number;
  readonly medianMs: number;
}

/** A run of a size that was never measured may be this much over the bound by its most cautious estimate, so that one slow size ends no search. */
const TRIED = 1.25;

/**
 * The size for the next runs: a step up where that stays in the bound by measurement or estimate, a step down where the present one does not.
 * What is fixed of a run (weights are copied, however few examples there are) is told from what grows with it once two sizes were measured.
 *
 * @param sizes rising
 * @param of what was measured of a size; undefined: nothing
 */
export function nextSize(
  sizes: readonly number[],
  current: number,
  of: (size: number) => MeasuredRuns | undefined,
  boundMs: number,
): number {
  const own = of(current);
  const at = sizes.indexOf(current);
  if (own === undefined || at < 0) return current;
  if (own.medianMs > boundMs) return sizes[at - 1] ?? current;
  const larger = sizes[at + 1];
  if (larger === undefined) return current;
  const known = of(larger);
  if (known !== undefined) return known.medianMs <= boundMs ? larger : current;
  const below = at === 0 ? undefined : of(sizes[at - 1]!);
  if (below === undefined) return (own.medianMs * larger) / current <= TRIED * boundMs ? larger : current;
  const slope = Math.max(0, (own.medianMs - below.medianMs) / (current - sizes[at - 1]!));
  return own.medianMs + slope * (larger - current) <= boundMs ? larger : current;
}
