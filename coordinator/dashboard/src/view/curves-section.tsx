import type { RoundView } from "@tributary/api-client";
import { type ReactNode, useMemo } from "react";
import { CurveChart } from "../charts/curve-chart.tsx";
import { formatLoss, formatShare } from "../format/numbers.ts";
import { learningCurves } from "../model/curves.ts";
import { CardSkeleton } from "../ui/skeleton.tsx";

/** Loss and accuracy by round. */
export function CurvesSection({ rounds }: { readonly rounds: readonly RoundView[] | undefined }): ReactNode {
  const curves = useMemo(() => learningCurves(rounds ?? []), [rounds]);
  return (
    <section className="columns" aria-label="Learning curves">
      <div className="card" data-testid="accuracy-curve">
        <h2>Accuracy</h2>
        {rounds === undefined ? (
          <CardSkeleton />
        ) : (
          <CurveChart
            name="Accuracy"
            x={curves.x}
            heldOut={curves.accuracy}
            training={curves.trainAccuracy}
            format={formatShare}
            range={accuracyRange}
          />
        )}
      </div>
      <div className="card" data-testid="loss-curve">
        <h2>Loss</h2>
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
      </div>
    </section>
  );
}

function accuracyRange(low: number): [number, number] {
  // Room below the lowest point, never above 100 %.
  return [Math.max(0, Math.floor((low - 0.02) * 20) / 20), 1];
}

function lossRange(_low: number, high: number): [number, number] {
  return [0, high <= 0 ? 1 : high * 1.08];
}
