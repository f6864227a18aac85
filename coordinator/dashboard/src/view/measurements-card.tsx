import type { DriftView, MeasurementView, TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatCount, formatLoss, formatLossChange, formatPoints, formatShare } from "../format/numbers.ts";
import { formatClock, formatFull } from "../format/time.ts";
import { driftWords, referenceWords } from "../model/drift-words.ts";
import { histogramBars, histogramTitle } from "../model/histogram-bars.ts";
import { LoadError } from "../ui/load-error.tsx";

/** What devices measured last, as sums over them; for tasks that measure alone. */
export function MeasurementsCard({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const { data, isError, error, refetch } = useQuery(queries.measurements(task.name));
  const [last] = data ?? [];
  return (
    <section className="card stack" aria-labelledby="measurements-title" data-testid="measurements">
      <h2 id="measurements-title">Measured on devices</h2>
      {isError && <LoadError error={error} retry={() => void refetch()} />}
      {data?.length === 0 && <p className="quiet">Nothing yet.</p>}
      {last !== undefined && <Measured measurement={last} />}
    </section>
  );
}

function Measured({ measurement }: { readonly measurement: MeasurementView }): ReactNode {
  const { version, candidate, devices, at, counters, histograms, comparison, drift } = measurement;
  const { examples, currentLoss, currentCorrect, candidateLoss, candidateCorrect } = counters;
  const { "feedback.answers": answers = 0, "feedback.correct": right = 0 } = counters;
  const { loss = null, accuracy = null } = comparison ?? {};
  const counted = Object.entries(counters).filter(
    ([name, count]) => name === "runs" || (count > 0 && !name.startsWith("feedback.")),
  );
  const versions =
    candidate === null ? `Version ${version}` : `Version ${candidate} against version ${version}`;
  return (
    <>
      <p className="quiet" title={formatFull(at)}>
        {versions}, {formatCount(devices)} devices, {formatClock(at)}
      </p>
      {examples === undefined ? (
        <dl className="counts">
          {counted.map(([name, count]) => (
            <div className="count" key={name}>
              <dt>{name}</dt>
              <dd>{formatCount(count)}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <p data-testid="measured-scores">
          {formatCount(examples)} examples, loss {formatLoss((candidateLoss ?? currentLoss ?? 0) / examples)},
          accuracy {formatShare((candidateCorrect ?? currentCorrect ?? 0) / examples)}
        </p>
      )}
      {answers > 0 && (
        <p data-testid="feedback">
          Right by people&rsquo;s feedback: {formatShare(right / answers)} of {formatCount(answers)} answers
        </p>
      )}
      {loss !== null && (
        <p>
          loss {formatLossChange(loss.difference)} ({formatLossChange(loss.lower)} to{" "}
          {formatLossChange(loss.upper)}), p {loss.p.toPrecision(2)}
        </p>
      )}
      {accuracy !== null && (
        <p>
          accuracy {formatPoints(accuracy.difference)} points ({formatPoints(accuracy.lower)} to{" "}
          {formatPoints(accuracy.upper)}), McNemar p {accuracy.p.toPrecision(2)}
        </p>
      )}
      {drift.length > 0 && <p className="quiet">{referenceWords(drift)}</p>}
      <div className="histograms">
        {Object.entries(histograms).map(([name, histogram]) => (
          <HistogramFigure
            key={name}
            name={name}
            histogram={histogram}
            drift={drift.find(({ metric }) => metric === name)}
          />
        ))}
      </div>
    </>
  );
}

interface HistogramProps {
  readonly name: string;
  readonly histogram: MeasurementView["histograms"][string];
  readonly drift: DriftView | undefined;
}

function HistogramFigure({ name, histogram, drift }: HistogramProps): ReactNode {
  const bars = histogramBars(histogram);
  if (bars.length === 0) return null;
  const total = bars.reduce((sum, { count }) => sum + count, 0);
  return (
    <figure className="histogram" data-testid="histogram" data-name={name}>
      <figcaption>
        <span>{histogramTitle(name)}</span> <span className="of">{formatCount(total)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${bars.length * 10} 40`}
        preserveAspectRatio="none"
        role="img"
        aria-label={bars
          .filter(({ count }) => count > 0)
          .map(({ range, count }) => `${range}: ${count}`)
          .join("; ")}
      >
        {bars.map(({ height, range, count }, i) => (
          <rect key={range} x={i * 10 + 1} y={40 - 40 * height} width={8} height={40 * height}>
            <title>{`${range}: ${count}`}</title>
          </rect>
        ))}
      </svg>
      <p className="histogram-ends" aria-hidden="true">
        <span>{bars[0]!.range}</span>
        <span>{bars.at(-1)!.range}</span>
      </p>
      {drift !== undefined && (
        <p className="histogram-drift" data-testid="drift" data-beyond-noise={drift.beyondNoise}>
          {driftWords(drift)}
        </p>
      )}
    </figure>
  );
}
