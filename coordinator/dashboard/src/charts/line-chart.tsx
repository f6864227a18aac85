import { type ReactNode, useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { chartColors, useColorScheme } from "./chart-colors.ts";
import { SERIES_COUNT, type SeriesColors, seriesColors } from "./series-colors.ts";

export interface ChartLine {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** A level across the chart: what lies above it is beyond it. */
export interface ChartLevel {
  readonly at: number;
  readonly tone: "warn" | "bad";
}

interface Props {
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly x: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
  /** The lowest value that is shown, at most. */
  readonly from?: number | undefined;
  readonly levels?: readonly ChartLevel[];
}

const HEIGHT = 260;
const NO_LEVELS: readonly ChartLevel[] = [];

/** Lines over one axis, drawn by uPlot; gaps between a line's own points are bridged. */
export function LineChart(props: Props): ReactNode {
  const { label, x, lines, formatX, formatY, from, levels = NO_LEVELS } = props;
  const host = useRef<HTMLDivElement>(null);
  const scheme = useColorScheme();
  const names = useMemo(() => lines.map(({ name }) => name).join("\n"), [lines]);

  useEffect(() => {
    const element = host.current;
    if (element === null || x.length === 0) return;
    const colors = chartColors();
    const own = seriesColors();
    const axis = {
      stroke: colors.text,
      font: colors.font,
      grid: { stroke: colors.grid, width: 1 },
      ticks: { show: false },
    } satisfies Partial<uPlot.Axis>;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [10, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: {
          x: { time: false },
          y: {
            range: (_plot, low, high) => {
              const top = Math.max(high ?? 0, ...levels.map(({ at }) => at * 1.2));
              const bottom = Math.min(from ?? low ?? 0, low ?? 0);
              return [bottom, top > bottom ? top + (top - bottom) * 0.06 : bottom + 1];
            },
          },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 30,
            space: 84,
            values: (_plot, splits) => splits.map(formatX),
          },
          { ...axis, size: 62, space: 34, values: (_plot, splits) => splits.map(formatY) },
        ],
        series: [
          {},
          ...names.split("\n").map((name, i) => ({
            label: name,
            stroke: own.lines[i % own.lines.length]!,
            width: 2,
            spanGaps: true,
            points: { show: x.length <= 40, size: 5 },
          })),
        ],
        hooks: {
          drawAxes: [(plot) => drawLevels(plot, levels, own)],
        },
      },
      [[...x], ...lines.map(({ values }) => [...values])],
      element,
    );
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [scheme, x, lines, names, formatX, formatY, from, levels]);

  if (x.length === 0) return <p className="quiet">Nothing to draw yet.</p>;
  return (
    <figure className="curve" aria-label={label}>
      {lines.length > 1 && (
        <figcaption className="curve-legend">
          {lines.map(({ name }, i) => (
            <span key={name} className="line-key" data-series={(i % SERIES_COUNT) + 1}>
              {name}
            </span>
          ))}
        </figcaption>
      )}
      <div className="line-plot" ref={host} aria-hidden="true" />
    </figure>
  );
}

function drawLevels(plot: uPlot, levels: readonly ChartLevel[], colors: SeriesColors): void {
  const { left, width } = plot.bbox;
  for (const { at, tone } of levels) {
    const y = Math.round(plot.valToPos(at, "y", true));
    plot.ctx.save();
    plot.ctx.strokeStyle = colors[tone];
    plot.ctx.setLineDash([6, 4]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(left, y);
    plot.ctx.lineTo(left + width, y);
    plot.ctx.stroke();
    plot.ctx.restore();
  }
}
