import type { MeasurementView } from "@tributary/api-client";

export interface Bar {
  /** Of the highest bar, from 0 to 1. */
  readonly height: number;
  /** `10 to 12.6: 41` */
  readonly label: string;
}

/** A histogram as bars, without the empty bins at its ends; none where nothing was counted. */
export function histogramBars({ edges, counts }: MeasurementView["histograms"][string]): readonly Bar[] {
  const filled = counts.flatMap((count, i) => (count > 0 ? [i] : []));
  const [first = 0] = filled;
  const highest = Math.max(...counts, 0);
  if (highest <= 0) return [];
  return counts.slice(first, filled.at(-1)! + 1).map((count, i) => ({
    height: Math.max(0, count) / highest,
    label: `${rangeOf(edges, first + i)}: ${Math.round(count)}`,
  }));
}

function rangeOf(edges: readonly number[], bin: number): string {
  const [low, high] = [edges[bin - 1], edges[bin]];
  if (low === undefined) return `below ${short(high ?? 0)}`;
  return high === undefined ? `from ${short(low)}` : `${short(low)} to ${short(high)}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
