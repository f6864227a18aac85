import type uPlot from "uplot";
import type { ChartColors } from "./chart-colors.ts";
import { type TooltipLine, tooltipPlugin } from "./tooltip.ts";

interface CurveSettings {
  readonly width: number;
  readonly height: number;
  readonly colors: ChartColors;
  readonly labels: readonly [string, string];
  readonly xWord: string;
  readonly format: (value: number | null | undefined) => string;
  readonly range: (low: number, high: number) => [number, number];
}

/** Both charts of a page move their pointers together. */
const SYNC_KEY = "rounds";

/** uPlot's settings for a chart over rounds. */
export function curveOptions(settings: CurveSettings): uPlot.Options {
  const { colors, format } = settings;
  const axis = {
    stroke: colors.text,
    font: colors.font,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
  } satisfies Partial<uPlot.Axis>;
  return {
    width: settings.width,
    height: settings.height,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 9, width: 2, stroke: () => colors.surface },
      sync: { key: SYNC_KEY },
    },
    scales: {
      x: { time: false, range: roundRange },
      y: { range: (_plot, low, high) => settings.range(low ?? 0, high ?? 0) },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        space: 44,
        size: 30,
        values: (_plot, splits) => splits.map((round) => (Number.isInteger(round) ? String(round) : "")),
      },
      {
        ...axis,
        space: 34,
        size: 58,
        values: (_plot, splits) => splits.map((value) => shortest(value, format)),
      },
    ],
    series: [
      {},
      {
        label: settings.labels[0],
        stroke: colors.heldOut,
        fill: colors.heldOutFill,
        width: 2,
        points: { size: 5, fill: colors.heldOut, show: fewPoints },
      },
      {
        label: settings.labels[1],
        stroke: colors.training,
        width: 1.5,
        dash: [5, 4],
        // A dash needs two points: one alone would not be seen.
        points: { size: 5, fill: colors.training, show: onePoint },
      },
      { label: "upper", width: 0, points: { show: false } },
      { label: "lower", width: 0, points: { show: false } },
    ],
    bands: [{ series: [3, 4], fill: colors.band }],
    plugins: [tooltipPlugin({ lines: (plot, index) => tooltipLines(plot, index, settings) })],
  };
}

function tooltipLines(
  plot: uPlot,
  index: number,
  { format, labels, xWord }: CurveSettings,
): readonly TooltipLine[] {
  const [rounds, heldOut, training, upper, lower] = plot.data;
  const lines: TooltipLine[] = [{ text: `${xWord[0]!.toUpperCase()}${xWord.slice(1)} ${rounds[index]}` }];
  const add = (series: "held-out" | "training", text: string, value: number | null | undefined): void => {
    if (typeof value === "number") lines.push({ text, value: format(value), series });
  };
  add("held-out", labels[0], heldOut?.[index]);
  const [low, high] = [lower?.[index], upper?.[index]];
  if (typeof low === "number" && typeof high === "number") {
    lines.push({ text: "between", value: `${format(low)} and ${format(high)}`, series: "band" });
  }
  add("training", labels[1], training?.[index]);
  return lines;
}

/** At least ten rounds wide, so that the first points do not fill the whole width. */
function roundRange(_plot: uPlot, low: number | null, high: number | null): [number, number] {
  const from = low ?? 1;
  return [from, Math.max(high ?? 1, from + 9)];
}

function fewPoints(_plot: uPlot, _series: number, from: number, to: number): boolean {
  return to - from < 40;
}

function onePoint(_plot: uPlot, _series: number, from: number, to: number): boolean {
  return from === to;
}

/** An axis label without the zeros a figure in a table keeps. */
function shortest(value: number, format: (value: number) => string): string {
  return format(value).replace(/\.(\d*?)0+(?=%|$)/, (_all, kept: string) => (kept === "" ? "" : `.${kept}`));
}
