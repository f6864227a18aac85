import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import { chartColors, useColorScheme } from "./chart-colors.ts";
import { curveOptions } from "./curve-options.ts";

interface Props {
  readonly name: string;
  /** Round numbers, ascending. */
  readonly x: readonly number[];
  readonly heldOut: readonly (number | null)[];
  readonly training: readonly (number | null)[];
  readonly format: (value: number | null | undefined) => string;
  readonly range: (low: number, high: number) => [number, number];
}

const HEIGHT = 230;

/** Two curves over the rounds, drawn by uPlot; the legend shows the last round, a tooltip the one under the pointer. */
export function CurveChart({ name, x, heldOut, training, format, range }: Props): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef<uPlot.AlignedData>([[], [], []]);
  const scheme = useColorScheme();

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const options = curveOptions({
      width: element.clientWidth,
      height: HEIGHT,
      colors: chartColors(),
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
  }, [scheme, format, range]);

  useEffect(() => {
    latest.current = [[...x], [...heldOut], [...training]];
    plot.current?.setData(latest.current);
  }, [x, heldOut, training, scheme]);

  const last = x.length - 1;
  const hasTraining = training.some((value) => value !== null);
  return (
    <figure className="curve" aria-label={summary(name, x, heldOut, format)}>
      <figcaption className="curve-legend">
        {x.length > 0 && (
          <>
            <span className="curve-at">round {x[last]}</span>
            <span className="curve-key" data-series="held-out">
              held-out <b>{format(heldOut[last])}</b>
            </span>
            {hasTraining && (
              <span className="curve-key" data-series="training">
                training <b>{format(training[last])}</b>
              </span>
            )}
          </>
        )}
      </figcaption>
      <div className="curve-plot" ref={host} aria-hidden="true" />
      {x.length === 0 && <p className="curve-empty">The curve begins with the first committed round.</p>}
    </figure>
  );
}

function summary(
  name: string,
  x: readonly number[],
  values: readonly (number | null)[],
  format: (value: number | null | undefined) => string,
): string {
  if (x.length === 0) return `${name} by round: no committed round yet`;
  return `${name} by round, from ${format(values[0])} in round ${x[0]} to ${format(values.at(-1))} in round ${x.at(-1)}; the figures are in the table of rounds`;
}
