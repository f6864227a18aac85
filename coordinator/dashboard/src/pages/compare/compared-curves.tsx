import type { CompareView } from "@tributary/api-client";
import { type ReactNode, useMemo } from "react";
import { useSearchParams } from "wouter";
import { LineChart } from "../../charts/line-chart.tsx";
import { formatCompact, formatLoss, formatShare } from "../../format/numbers.ts";
import { formatSeconds } from "../../format/time.ts";
import {
  AXES,
  AXIS_WORDS,
  type Axis,
  type Measure,
  MEASURE_WORDS,
  measuresOf,
  overlaidCurves,
} from "../../model/compare-curves.ts";
import { ChartFrame, type FigureColumn } from "../../ui/chart-frame.tsx";

const FORMATS: Readonly<Record<Measure, (value: number | null) => string>> = {
  accuracy: formatShare,
  trainAccuracy: formatShare,
  loss: formatLoss,
  trainLoss: formatLoss,
};
const AXIS_FORMATS: Readonly<Record<Axis, (value: number) => string>> = {
  round: String,
  version: String,
  seconds: formatSeconds,
  examples: formatCompact,
};

/** Curves over each other, over the axis and of the measure that the address says. */
export function ComparedCurves({ subjects }: { readonly subjects: CompareView["subjects"] }): ReactNode {
  const [address, setAddress] = useSearchParams();
  const measures = measuresOf(subjects);
  const measure = measures.find((each) => each === address.get("measure")) ?? measures[0];
  const axis = AXES.find((each) => each === address.get("axis")) ?? "round";
  const change = (name: string, value: string): void =>
    setAddress(
      (was) => {
        const next = new URLSearchParams(was);
        next.set(name, value);
        return next;
      },
      { replace: true },
    );
  if (measure === undefined) {
    return (
      <section className="card">
        <h2>Curves</h2>
        <p className="quiet">None of them has a round that trained yet.</p>
      </section>
    );
  }
  return <Overlaid subjects={subjects} axis={axis} measure={measure} measures={measures} change={change} />;
}

function Overlaid({
  subjects,
  axis,
  measure,
  measures,
  change,
}: {
  readonly subjects: CompareView["subjects"];
  readonly axis: Axis;
  readonly measure: Measure;
  readonly measures: readonly Measure[];
  readonly change: (name: string, value: string) => void;
}): ReactNode {
  const { x, lines } = useMemo(() => overlaidCurves(subjects, axis, measure), [subjects, axis, measure]);
  const named = useMemo(
    () => lines.map((values, i) => ({ name: subjects[i]!.ref, values })),
    [lines, subjects],
  );
  const format = FORMATS[measure];
  const rows = x.map((at, i) => ({ at, values: lines.map((line) => line[i] ?? null) }));
  const columns: readonly FigureColumn<(typeof rows)[number]>[] = [
    { title: AXIS_WORDS[axis], cell: ({ at }) => AXIS_FORMATS[axis](at), value: ({ at }) => at },
    ...subjects.map(({ ref }, i) => ({
      title: ref,
      cell: ({ values }: (typeof rows)[number]) => format(values[i] ?? null),
      value: ({ values }: (typeof rows)[number]) => values[i] ?? null,
    })),
  ];
  return (
    <ChartFrame
      title={`${MEASURE_WORDS[measure]} by ${AXIS_WORDS[axis]}`}
      columns={columns}
      rows={rows}
      keyOf={({ at }) => at}
      testId="compared-curves"
      note={
        <div className="chart-choices">
          <select
            aria-label="Measure"
            value={measure}
            onChange={(event) => change("measure", event.target.value)}
          >
            {measures.map((each) => (
              <option key={each} value={each}>
                {MEASURE_WORDS[each]}
              </option>
            ))}
          </select>
          <select aria-label="Axis" value={axis} onChange={(event) => change("axis", event.target.value)}>
            {AXES.map((each) => (
              <option key={each} value={each}>
                by {AXIS_WORDS[each]}
              </option>
            ))}
          </select>
        </div>
      }
    >
      <LineChart
        label={`${MEASURE_WORDS[measure]} of ${subjects.map(({ ref }) => ref).join(", ")} by ${AXIS_WORDS[axis]}`}
        x={x}
        lines={named}
        formatX={AXIS_FORMATS[axis]}
        formatY={format}
      />
    </ChartFrame>
  );
}
