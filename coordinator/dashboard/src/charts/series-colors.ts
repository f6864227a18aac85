/** Lines of a chart by their places; more begin again. */
const SERIES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"] as const;

export const SERIES_COUNT = SERIES.length;

export interface SeriesColors {
  readonly lines: readonly string[];
  readonly warn: string;
  readonly bad: string;
}

/** The page's colours by value: a chart is a canvas. */
export function seriesColors(): SeriesColors {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = { lines: SERIES.map(read), warn: read("--warn"), bad: read("--bad") };
  probe.remove();
  return colors;
}
