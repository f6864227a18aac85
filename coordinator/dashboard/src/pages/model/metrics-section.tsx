import type { VersionView } from "@tributary/api-client";
import { type ReactNode, useMemo } from "react";
import { CurveChart } from "../../charts/curve-chart.tsx";
import { formatLoss, formatShare } from "../../format/numbers.ts";
import { ChartFrame, type FigureColumn } from "../../ui/chart-frame.tsx";

const LABELS = ["held-out", ""] as const;
const EMPTY = "No version was measured on held-out data yet.";

/** What versions were measured to be worth, and how sure that is. */
export function MetricsSection({ versions }: { readonly versions: readonly VersionView[] }): ReactNode {
  const measured = useMemo(
    () =>
      versions
        .filter(({ accuracy, loss }) => accuracy !== null || loss !== null)
        .toSorted((a, b) => a.version - b.version),
    [versions],
  );
  const none = useMemo(() => measured.map(() => null), [measured]);
  return (
    <section className="columns" aria-label="Metrics by version">
      <Metric metric="accuracy" title="Accuracy by version" measured={measured} none={none} />
      <Metric metric="loss" title="Loss by version" measured={measured} none={none} />
    </section>
  );
}

interface Props {
  readonly metric: "accuracy" | "loss";
  readonly title: string;
  readonly measured: readonly VersionView[];
  readonly none: readonly null[];
}

function Metric({ metric, title, measured, none }: Props): ReactNode {
  const format = metric === "accuracy" ? formatShare : formatLoss;
  const x = useMemo(() => measured.map(({ version }) => version), [measured]);
  const values = useMemo(() => measured.map((version) => version[metric]), [measured, metric]);
  const band = useMemo(
    () => ({
      lower: measured.map(({ lineage }) => lineage?.intervals[metric]?.lower ?? null),
      upper: measured.map(({ lineage }) => lineage?.intervals[metric]?.upper ?? null),
    }),
    [measured, metric],
  );
  const figure = (
    name: string,
    value: (version: VersionView) => number | null,
  ): FigureColumn<VersionView> => ({ title: name, cell: (version) => format(value(version)), value });
  return (
    <ChartFrame
      title={title}
      testId={`${metric}-by-version`}
      columns={[
        { title: "Version", cell: ({ version }) => version, value: ({ version }) => version },
        figure("Held-out", (version) => version[metric]),
        figure("From", ({ lineage }) => lineage?.intervals[metric]?.lower ?? null),
        figure("To", ({ lineage }) => lineage?.intervals[metric]?.upper ?? null),
      ]}
      rows={measured}
      keyOf={({ version }) => version}
    >
      <CurveChart
        name={title}
        xWord="version"
        x={x}
        labels={LABELS}
        heldOut={values}
        training={none}
        band={band}
        format={format}
        range={metric === "accuracy" ? accuracyRange : lossRange}
        empty={EMPTY}
      />
    </ChartFrame>
  );
}

function accuracyRange(low: number): [number, number] {
  return [Math.max(0, Math.floor((low - 0.02) * 20) / 20), 1];
}

function lossRange(_low: number, high: number): [number, number] {
  return [0, high <= 0 ? 1 : high * 1.08];
}
