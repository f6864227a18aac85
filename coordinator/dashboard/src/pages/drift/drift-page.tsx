import type { DriftMetric } from "@tributary/api-client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import { versionHref } from "../../addresses.ts";
import { type ChartLevel, LineChart } from "../../charts/line-chart.tsx";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatCount, formatShare } from "../../format/numbers.ts";
import { formatFull } from "../../format/time.ts";
import type { DriftCourse } from "../../model/drift-course.ts";
import { comparedBars, driftSentence, driftTitle, levelOf } from "../../model/drift-levels.ts";
import { ChartFrame, type FigureColumn } from "../../ui/chart-frame.tsx";
import { Hint } from "../../ui/hint.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { MoreButton } from "../../ui/more-button.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { NoDrift } from "./no-drift.tsx";
import "./drift.css";

const figure = (value: number): string => String(Number(value.toPrecision(2)));

/** How inputs, predictions, confidence and labels moved away from their reference. The address says of which task. */
export function DriftPage(): ReactNode {
  const { queries } = useDashboard();
  const tasks = useQuery(queries.tasks());
  const [address, setAddress] = useSearchParams();
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(all) => {
        const watching = all.filter(({ spec }) => spec.kind === "telemetry");
        const task = watching.find(({ name }) => name === address.get("task")) ?? watching.at(-1);
        if (task === undefined) {
          return (
            <div className="page">
              <NoDrift model={all[0]?.model} />
            </div>
          );
        }
        return (
          <div className="page">
            <div className="page-head">
              <h1>Drift</h1>
              {watching.length > 1 && (
                <select
                  aria-label="Task"
                  value={task.name}
                  onChange={(event) => setAddress({ task: event.target.value })}
                >
                  {watching.map(({ name, model }) => (
                    <option key={name} value={name}>
                      {name}, of {model}
                    </option>
                  ))}
                </select>
              )}
            </div>
            <DriftOf key={task.name} task={task.name} />
          </div>
        );
      }}
    </Loaded>
  );
}

function DriftOf({ task }: { readonly task: string }): ReactNode {
  const { queries } = useDashboard();
  const history = useInfiniteQuery(queries.drift(task));
  return (
    <Loaded query={history}>
      {(drift) => (
        <>
          <Reference drift={drift} />
          {drift.metrics.map((metric) => (
            <Metric key={metric.name} drift={drift} metric={metric} />
          ))}
          <MoreButton query={history}>Show older measurements</MoreButton>
        </>
      )}
    </Loaded>
  );
}

function Reference({ drift }: { readonly drift: DriftCourse }): ReactNode {
  const { reference, measurements, levels, metrics, model } = drift;
  const { hasDataset, first } = reference;
  const beyond = metrics.filter(({ latest }) => latest.beyondNoise).length;
  return (
    <section className="card stack" data-testid="drift-reference">
      <div className="card-head">
        <h2>
          {measurements.length === 0
            ? "Nothing was measured yet"
            : metrics.length === 0
              ? "One measurement so far"
              : beyond === 0
                ? "Nothing drifts beyond chance"
                : `${beyond} of ${metrics.length} drift beyond chance`}
        </h2>
        <Hint about="the population stability index">
          <p>
            The index (PSI) says how far shares today lie from those of the reference. By custom {levels.some}{" "}
            is some and {levels.much} much drift ({levels.source}). A small sample differs by chance: only
            what is above its own limit, which chance stays below in 95 of 100 cases, is called drift here.
          </p>
        </Hint>
      </div>
      <p className="quiet">
        {hasDataset
          ? "The reference is the data set that the task names for what the model was trained on"
          : "The task names no data set as its reference"}
        {first === null ? (
          ". The first measurement is on its way."
        ) : (
          <>
            {hasDataset ? "; of what that says nothing of it is" : ": the reference is"} the first
            measurement, {first.roundId}, of{" "}
            <Link href={versionHref(model, first.version)}>version {first.version}</Link>,{" "}
            <time dateTime={first.at}>{formatFull(first.at)}</time>.
          </>
        )}{" "}
        {measurements.length > 0 && `${formatCount(measurements.length)} measurements are shown.`}
      </p>
    </section>
  );
}

function Metric({ drift, metric }: { readonly drift: DriftCourse; readonly metric: DriftMetric }): ReactNode {
  const { measurements, levels } = drift;
  const { latest, history } = metric;
  const level = levelOf(latest.psi, levels);
  const x = useMemo(() => measurements.map((_, i) => i + 1), [measurements]);
  const lines = useMemo(
    () => [
      { name: "PSI", values: history.map((point) => point?.psi ?? null) },
      { name: "by chance below", values: history.map((point) => point?.psiLimit ?? null) },
    ],
    [history],
  );
  const bounds = useMemo(
    (): readonly ChartLevel[] => [
      { at: levels.some, tone: "warn" },
      { at: levels.much, tone: "bad" },
    ],
    [levels],
  );
  const rows = measurements.map((measurement, i) => ({ ...measurement, point: history[i] ?? null }));
  const columns: readonly FigureColumn<(typeof rows)[number]>[] = [
    { title: "Round", cell: ({ roundId }) => roundId, value: ({ roundId }) => roundId },
    { title: "Version", cell: ({ version }) => version, value: ({ version }) => version },
    { title: "Devices", cell: ({ devices }) => devices, value: ({ devices }) => devices },
    {
      title: "PSI",
      cell: ({ point }) => (point === null ? "–" : figure(point.psi)),
      value: ({ point }) => point?.psi ?? null,
    },
    {
      title: "By chance below",
      cell: ({ point }) => (point === null ? "–" : figure(point.psiLimit)),
      value: ({ point }) => point?.psiLimit ?? null,
    },
    { title: "When", cell: ({ at }) => formatFull(at), value: ({ at }) => at },
  ];
  const label = (at: number): string =>
    Number.isInteger(at) && measurements[at - 1] !== undefined ? `v${measurements[at - 1]!.version}` : "";
  return (
    <ChartFrame
      title={driftTitle(metric)}
      columns={columns}
      rows={rows}
      keyOf={({ roundId }) => roundId}
      testId="drift-metric"
      note={
        <span className="pill" data-level={latest.beyondNoise ? level : "little"}>
          PSI {figure(latest.psi)}
        </span>
      }
    >
      <p className="quiet">
        {driftSentence(metric, levels)}; by chance below {figure(latest.psiLimit)},{" "}
        {formatCount(latest.count)} values against {formatCount(latest.reference.count)} of the reference
      </p>
      <div className="drift-parts">
        <LineChart
          label={`PSI of ${driftTitle(metric)} by measurement, ${figure(latest.psi)} at last`}
          x={x}
          lines={lines}
          formatX={label}
          formatY={figure}
          from={0}
          levels={bounds}
        />
        <Bars metric={metric} />
      </div>
    </ChartFrame>
  );
}

/** Reference and now, bin by bin. */
function Bars({ metric }: { readonly metric: DriftMetric }): ReactNode {
  const bars = comparedBars(metric);
  if (bars.length === 0) return null;
  return (
    <figure className="drift-bars">
      <svg
        viewBox={`0 0 ${bars.length * 10} 60`}
        preserveAspectRatio="none"
        role="img"
        aria-label="Shares by bin, reference and now"
      >
        {bars.map(({ label, reference, now, referenceShare, nowShare }, i) => (
          <g key={label}>
            <title>{`${label}: ${formatShare(referenceShare)} of the reference, ${formatShare(nowShare)} now`}</title>
            <rect
              className="bar-reference"
              x={i * 10 + 1}
              width={4}
              y={60 - 58 * reference}
              height={58 * reference}
            />
            <rect className="bar-now" x={i * 10 + 5} width={4} y={60 - 58 * now} height={58 * now} />
          </g>
        ))}
      </svg>
      <p className="histogram-ends">
        <span>{bars[0]!.label}</span>
        <span>{bars.at(-1)!.label}</span>
      </p>
      <figcaption className="drift-legend">
        <span data-series="reference">reference</span>
        <span data-series="now">now</span>
      </figcaption>
    </figure>
  );
}
