import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import { chartColors, readColors, useColorScheme } from "./chart-colors.ts";
import { stackedData, stackedOptions, type StackLayer } from "./stacked-options.ts";

interface Props {
  /** What screen readers hear in the place of the drawing. */
  readonly summary: string;
  /** Seconds since the epoch, ascending. */
  readonly x: readonly number[];
  /** From the lowest. */
  readonly layers: readonly (StackLayer & { readonly color: string })[];
  readonly format: (value: number) => string;
  readonly titleOf: (seconds: number) => string;
}

const HEIGHT = 230;

/** Layers over time, one upon the other, drawn by uPlot, with a legend that names them. */
export function StackedChart({ summary, x, layers, format, titleOf }: Props): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const scheme = useColorScheme();

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const options = stackedOptions({
      width: element.clientWidth,
      height: HEIGHT,
      colors: chartColors(),
      fills: readColors(...layers.map(({ color }) => color)),
      layers,
      format,
      titleOf,
    });
    const chart = new uPlot(options, stackedData(x, layers), element);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [scheme, x, layers, format, titleOf]);

  return (
    <figure className="curve" aria-label={summary}>
      <figcaption className="curve-legend">
        {layers.toReversed().map(({ label, color, values }) => (
          <span key={label} className="stack-key">
            <i style={{ background: color }} aria-hidden="true" />
            {label} <b>{format(values.at(-1) ?? 0)}</b>
          </span>
        ))}
      </figcaption>
      <div className="curve-plot" ref={host} aria-hidden="true" />
    </figure>
  );
}
