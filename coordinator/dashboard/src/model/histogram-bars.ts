import type { MeasurementView } from "@tributary/api-client";

export interface Bar {
  /** Of the highest bar, from 0 to 1. */
  readonly height: number;
  /** `10 to 12.6` */
  readonly range: string;
  readonly count: number;
}

/** Bars shown at least, where there are bins enough: one bar alone says nothing of where it lies. */
const FEWEST = 12;

/** A histogram as bars, without what is empty far from them; none where nothing was counted. */
export function histogramBars({ edges, counts }: MeasurementView["histograms"][string]): readonly Bar[] {
  const filled = counts.flatMap((count, i) => (count > 0 ? [i] : []));
  const highest = Math.max(...counts, 0);
  if (highest <= 0) return [];
  let [first, last] = [filled[0]!, filled.at(-1)!];
  while (last - first + 1 < Math.min(FEWEST, counts.length)) {
    first = Math.max(0, first - 1);
    if (last - first + 1 < FEWEST) last = Math.min(counts.length - 1, last + 1);
  }
  return counts.slice(first, last + 1).map((count, i) => ({
    height: Math.max(0, count) / highest,
    range: rangeOf(edges, first + i),
    count: Math.round(count),
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

const TITLES: Readonly<Record<string, string>> = {
  predictions: "predicted class",
  confidence: "confidence",
  labels: "label given by the user",
  throughput: "examples answered in a second",
  memory: "bytes of memory of the engine",
};

/** What a histogram of telemetry counts, with its unit. */
export function histogramTitle(name: string): string {
  const [group, ...rest] = name.split(".");
  const of = rest.join(".");
  if (group === "latency") return `milliseconds on ${of}`;
  if (group === "features") return `input ${of}`;
  return TITLES[name] ?? name;
}
