import type uPlot from "uplot";
import type { ChartColors } from "./chart-colors.ts";
import { type TooltipLine, tooltipPlugin } from "./tooltip.ts";

export interface StackLayer {
  readonly label: string;
  /** Of each point; null where nothing is known. */
  readonly values: readonly (number | null)[];
}

interface StackSettings {
  readonly width: number;
  readonly height: number;
  readonly colors: ChartColors;
  /** Of each layer, as the canvas takes it. */
  readonly fills: readonly string[];
  readonly layers: readonly StackLayer[];
  readonly format: (value: number) => string;
  readonly titleOf: (seconds: number) => string;
}

/** What uPlot draws: each line at the height of all layers up to it, the highest first, so that the lower ones cover it. */
export function stackedData(x: readonly number[], layers: readonly StackLayer[]): uPlot.AlignedData {
  const heights = layers.map(() => x.map((): number | null => null));
  for (let i = 0; i < x.length; i++) {
    let height = 0;
    for (const [layer, { values }] of layers.entries()) {
      const value = values[i] ?? null;
      if (value === null) continue;
      height += value;
      heights[layer]![i] = height;
    }
  }
  return [[...x], ...heights.toReversed()];
}

/** uPlot's settings for layers over time, one upon the other. */
export function stackedOptions(settings: StackSettings): uPlot.Options {
  const { colors, fills, layers, format } = settings;
  const axis = {
    stroke: colors.text,
    font: colors.font,
    ticks: { show: false },
  } satisfies Partial<uPlot.Axis>;
  return {
    width: settings.width,
    height: settings.height,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 34 },
      {
        ...axis,
        grid: { stroke: colors.grid, width: 1 },
        space: 34,
        size: 58,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
        values: (_plot, splits) => splits.map(format),
      },
    ],
    series: [
      {},
      ...layers.toReversed().map(({ label }, i) => ({
        label,
        // Between two layers a line of the ground.
        stroke: colors.surface,
        width: 1,
        fill: fills[layers.length - 1 - i]!,
        points: { show: (_plot: uPlot, _series: number, from: number, to: number) => from === to },
      })),
    ],
    plugins: [tooltipPlugin({ lines: (plot, index) => tooltipLines(plot, index, settings) })],
  };
}

/** The layers as they lie, those of which there is nothing left out. */
function tooltipLines(
  plot: uPlot,
  index: number,
  { layers, format, titleOf }: StackSettings,
): readonly TooltipLine[] {
  const known = layers.flatMap(({ label, values }) => {
    const value = values[index] ?? 0;
    return value > 0 ? [{ text: label, value: format(value) }] : [];
  });
  return [{ text: titleOf(plot.data[0][index]!) }, ...known.toReversed()];
}
