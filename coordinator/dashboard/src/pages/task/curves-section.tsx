import type { RoundView, VersionView } from "@tributary/api-client";
import { type ReactNode, useMemo } from "react";
import { CurveChart } from "../../charts/curve-chart.tsx";
import { formatLoss, formatShare } from "../../format/numbers.ts";
import { learningCurves } from "../../model/curves.ts";
import { accuracyBand } from "../../model/round-figures.ts";
import { ChartFrame, type FigureColumn } from "../../ui/chart-frame.tsx";
import { CardSkeleton } from "../../ui/skeleton.tsx";

interface Props {
  readonly rounds: readonly RoundView[] | undefined;
  /** Those that the rounds made: they tell how sure their figures are. */
  readonly versions: readonly VersionView[];
}

interface Point {
  readonly round: number;
  readonly heldOut: number | null;
  readonly training: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
}

/** Loss and accuracy by round. */
export function CurvesSection({ rounds, versions }: Props): ReactNode {
  const curves = useMemo(() => learningCurves(rounds ?? []), [rounds]);
  const band = useMemo(() => accuracyBand(curves, rounds ?? [], versions), [curves, rounds, versions]);
  const accuracy = curves.x.map((round, i) => ({
    round,
    heldOut: curves.accuracy[i] ?? null,
    training: curves.trainAccuracy[i] ?? null,
    lower: band.lower[i] ?? null,
    upper: band.upper[i] ?? null,
  }));
  const loss = curves.x.map((round, i) => ({
    round,
    heldOut: curves.loss[i] ?? null,
    training: curves.trainLoss[i] ?? null,
    lower: null,
    upper: null,
  }));
  return (
    <section className="columns" aria-label="Learning curves">
      <ChartFrame
        title="Accuracy"
        testId="accuracy-curve"
        columns={columnsOf(formatShare, true)}
        rows={accuracy}
        keyOf={({ round }) => round}
      >
        {rounds === undefined ? (
          <CardSkeleton />
        ) : (
          <CurveChart
            name="Accuracy"
            x={curves.x}
            heldOut={curves.accuracy}
            training={curves.trainAccuracy}
            band={band}
            format={formatShare}
            range={accuracyRange}
          />
        )}
      </ChartFrame>
      <ChartFrame
        title="Loss"
        testId="loss-curve"
        columns={columnsOf(formatLoss, false)}
        rows={loss}
        keyOf={({ round }) => round}
      >
        {rounds === undefined ? (
          <CardSkeleton />
        ) : (
          <CurveChart
            name="Loss"
            x={curves.x}
            heldOut={curves.loss}
            training={curves.trainLoss}
            format={formatLoss}
            range={lossRange}
          />
        )}
      </ChartFrame>
    </section>
  );
}

function columnsOf(
  format: (value: number | null) => string,
  withInterval: boolean,
): readonly FigureColumn<Point>[] {
  const column = (title: string, value: (point: Point) => number | null): FigureColumn<Point> => ({
    title,
    cell: (point) => format(value(point)),
    value,
  });
  return [
    { title: "Round", cell: ({ round }) => round, value: ({ round }) => round },
    column("Held-out", ({ heldOut }) => heldOut),
    ...(withInterval ? [column("From", ({ lower }) => lower), column("To", ({ upper }) => upper)] : []),
    column("Training", ({ training }) => training),
  ];
}

function accuracyRange(low: number): [number, number] {
  // Room below the lowest point, never above 100 %.
  return [Math.max(0, Math.floor((low - 0.02) * 20) / 20), 1];
}

function lossRange(_low: number, high: number): [number, number] {
  return [0, high <= 0 ? 1 : high * 1.08];
}
