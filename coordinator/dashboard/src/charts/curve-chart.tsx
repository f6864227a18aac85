import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { chartColors, useColorScheme } from "./chart-colors.ts";
import { curveOptions } from "./curve-options.ts";

type Column = readonly (number | null)[];

interface Props {
  readonly name: string;
  /** Round or version numbers, ascending. */
  readonly x: readonly number[];
  /** What they are. @defaultValue "round" */
  readonly xWord?: string;
  /** What the two lines are called. @defaultValue held-out and training */
  readonly labels?: readonly [string, string];
  readonly heldOut: Column;
  readonly training: Column;
  /** Where the first line may lie as well. */
  readonly band?: { readonly lower: Column; readonly upper: Column };
  readonly format: (value: number | null | undefined) => string;
  readonly range: (low: number, high: number) => [number, number];
  /** Before there is anything to draw. */
  readonly empty?: string;
}

const HEIGHT = 230;
const LABELS = ["held-out", "training"] as const;
const NO_BAND = { lower: [], upper: [] };

/** Two lines and a band, drawn by uPlot; the legend shows the last point, a tooltip the one under the pointer. */
export function CurveChart(props: Props): ReactNode {
  const {
    name,
    x,
    xWord = "round",
    labels = LABELS,
    heldOut,
    training,
    band = NO_BAND,
    format,
    range,
  } = props;
  const { empty = "The curve begins with the first committed round." } = props;
  const [first, second] = labels;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef<uPlot.AlignedData>([[], [], [], [], []]);
  const scheme = useColorScheme();

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const options = curveOptions({
      width: element.clientWidth,
      height: HEIGHT,
      colors: chartColors(),
      labels: [first, second],
      xWord,
      format,
      range,
    });
    const chart = new uPlot(options, latest.current, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = undefined;
    };
  }, [scheme, first, second, xWord, format, range]);

  useEffect(() => {
    const { lower, upper } = band;
    latest.current = [
      [...x],
      [...heldOut],
      [...training],
      x.map((_, i) => upper[i] ?? null),
      x.map((_, i) => lower[i] ?? null),
    ];
    plot.current?.setData(latest.current);
  }, [x, heldOut, training, band, scheme]);

  const last = x.length - 1;
  const hasTraining = training.some((value) => value !== null);
  const hasBand = band.lower.some((value) => value !== null);
  return (
    <figure className="curve" aria-label={summary(name, xWord, x, heldOut, format)}>
      <figcaption className="curve-legend">
        {x.length > 0 && (
          <>
            <span className="curve-at">
              {xWord} {x[last]}
            </span>
            <span className="curve-key" data-series="held-out">
              {first} <b>{format(heldOut[last])}</b>
            </span>
            {hasTraining && (
              <span className="curve-key" data-series="training">
                {second} <b>{format(training[last])}</b>
              </span>
            )}
            {hasBand && (
              <span className="curve-key" data-series="band">
                where it may lie
              </span>
            )}
          </>
        )}
      </figcaption>
      <div className="curve-plot" ref={host} aria-hidden="true" />
      {x.length === 0 && <p className="curve-empty">{empty}</p>}
    </figure>
  );
}

function summary(
  name: string,
  xWord: string,
  x: readonly number[],
  values: Column,
  format: (value: number | null | undefined) => string,
): string {
  if (x.length === 0) return `${name} by ${xWord}: nothing yet`;
  return `${name} by ${xWord}, from ${format(values[0])} in ${xWord} ${x[0]} to ${format(values.at(-1))} in ${xWord} ${x.at(-1)}; a button shows the figures as a table`;
}
