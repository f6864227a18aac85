import type { RoundView } from "@tributary/api-client";
import { type ReactNode, useMemo } from "react";
import { CurveChart } from "../../charts/curve-chart.tsx";
import { formatBytes, formatCount, formatShare, NONE } from "../../format/numbers.ts";
import { formatSeconds } from "../../format/time.ts";
import { funnel, meanPhaseSeconds, phaseSpans, traffic } from "../../model/round-figures.ts";
import { Bars } from "../../ui/bars.tsx";
import { ChartFrame } from "../../ui/chart-frame.tsx";

const UP_AND_DOWN = ["sent by devices", "fetched by devices"] as const;

/** Who got how far in the rounds, how long their phases took, and what went over the wire. */
export function FlowSection({ rounds }: { readonly rounds: readonly RoundView[] }): ReactNode {
  const ended = useMemo(() => rounds.filter(({ endedAt }) => endedAt !== null), [rounds]);
  const steps = useMemo(() => funnel(ended), [ended]);
  const phases = useMemo(() => meanPhaseSeconds(ended), [ended]);
  const bytes = useMemo(() => traffic(ended), [ended]);
  const longest = Math.max(...phases.map(({ seconds }) => seconds), 0);
  const timed = ended.filter((round) => round.phases.length > 0);
  return (
    <>
      <div className="columns">
        <ChartFrame
          title="From offer to sum"
          testId="funnel"
          columns={[
            count("Round", ({ number }) => number),
            count("Offered", ({ offered }) => offered),
            count("Ready", ({ ready }) => ready),
            count("Cohort", ({ cohort }) => cohort),
            count("Survived", ({ reported }) => reported),
          ]}
          rows={ended}
          keyOf={({ id }) => id}
        >
          <Bars
            label="Devices by how far they got"
            bars={steps.map(({ name, count: devices, share }) => ({
              name,
              words: `${formatCount(devices)}${share === null ? "" : `, ${formatShare(share)}`}`,
              share: share ?? 0,
            }))}
          />
        </ChartFrame>
        <ChartFrame
          title="Time by phase"
          testId="phase-times"
          columns={[
            count("Round", ({ number }) => number),
            seconds("Selecting", "selecting"),
            seconds("Training", "training"),
            seconds("Reporting", "reporting"),
            seconds("Aggregating", "aggregating"),
          ]}
          rows={timed}
          keyOf={({ id }) => id}
        >
          {phases.length === 0 ? (
            <p className="quiet">No round with known phases ended yet.</p>
          ) : (
            <Bars
              label="Mean time by phase"
              bars={phases.map(({ phase, seconds: mean }) => ({
                name: `${phase[0]!.toUpperCase()}${phase.slice(1)}`,
                words: formatSeconds(mean),
                share: longest === 0 ? 0 : mean / longest,
              }))}
            />
          )}
        </ChartFrame>
      </div>
      <ChartFrame
        title="Traffic"
        testId="traffic"
        columns={[
          count("Round", ({ number }) => number),
          { title: "Up", cell: ({ bytesUp }) => formatBytes(bytesUp), value: ({ bytesUp }) => bytesUp },
          {
            title: "Down",
            cell: ({ bytesDown }) => formatBytes(bytesDown),
            value: ({ bytesDown }) => bytesDown,
          },
        ]}
        rows={ended}
        keyOf={({ id }) => id}
      >
        <CurveChart
          name="Traffic"
          x={bytes.x}
          heldOut={bytes.up}
          training={bytes.down}
          labels={UP_AND_DOWN}
          format={formatOptionalBytes}
          range={fromZero}
          empty="It begins with the first round that ends."
        />
      </ChartFrame>
    </>
  );
}

function count(title: string, value: (round: RoundView) => number) {
  return { title, cell: (round: RoundView) => formatCount(value(round)), value };
}

function seconds(title: string, phase: RoundView["phase"]) {
  const value = (round: RoundView): number | null => {
    const spans = phaseSpans(round).filter((span) => span.phase === phase);
    return spans.length === 0 ? null : spans.reduce((sum, span) => sum + (span.seconds ?? 0), 0);
  };
  return { title, cell: (round: RoundView) => formatSeconds(value(round)), value };
}

function formatOptionalBytes(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : formatBytes(value);
}

function fromZero(_low: number, high: number): [number, number] {
  return [0, high <= 0 ? 1 : high * 1.08];
}
