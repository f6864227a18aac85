import type { FleetHistoryView } from "@tributary/api-client";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { useSearchParams } from "wouter";
import { StackedChart } from "../../charts/stacked-chart.tsx";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatCount } from "../../format/numbers.ts";
import { formatFull } from "../../format/time.ts";
import { adoptionLayers, adoptionSummary, type AdoptionRow } from "../../model/fleet-lines.ts";
import { ChartFrame, type FigureColumn } from "../../ui/chart-frame.tsx";
import { Loaded } from "../../ui/loaded.tsx";

const SPANS = [
  [24, "1 day"],
  [168, "7 days"],
  [720, "30 days"],
  [2160, "90 days"],
] as const;
const WEEK = 168;

type CheckInRow = FleetHistoryView["checkIns"][number];

const seconds = (at: string): number => Date.parse(at) / 1000;
const titleOf = (at: number): string => formatFull(new Date(at * 1000).toISOString());

/** Which versions ran on how many devices, and how many were there. */
export function FleetHistory({
  model,
  population,
}: {
  readonly model: string | undefined;
  readonly population: string | undefined;
}): ReactNode {
  const { queries } = useDashboard();
  const [params, setParams] = useSearchParams();
  const asked = Number(params.get("hours"));
  const hours = SPANS.some(([each]) => each === asked) ? asked : WEEK;
  const history = useQuery({
    ...queries.fleetHistory({ model, population, hours }),
    placeholderData: keepPreviousData,
  });
  const choose = (next: number): void =>
    setParams(
      (was) => {
        const changed = new URLSearchParams(was);
        if (next === WEEK) changed.delete("hours");
        else changed.set("hours", String(next));
        return changed;
      },
      { replace: true },
    );
  return (
    <>
      <fieldset className="fleet-spans" aria-label="How far back">
        {SPANS.map(([each, title]) => (
          <button
            key={each}
            type="button"
            className="button"
            aria-pressed={each === hours}
            onClick={() => choose(each)}
          >
            {title}
          </button>
        ))}
      </fieldset>
      <Loaded query={history}>
        {(view) => (
          <div className="columns">
            <Adoption history={view} model={model} />
            <CheckIns history={view} />
          </div>
        )}
      </Loaded>
    </>
  );
}

function Adoption({
  history,
  model,
}: {
  readonly history: FleetHistoryView;
  readonly model: string | undefined;
}): ReactNode {
  const { x, layers, columns } = useMemo(() => {
    const versions = history.versions.map((version, i): FigureColumn<AdoptionRow> => ({
      title: `version ${version}`,
      cell: ({ devices }) => formatCount(devices[i] ?? 0),
      value: ({ devices }) => devices[i] ?? 0,
    }));
    const all: readonly FigureColumn<AdoptionRow>[] = [
      { title: "Until", cell: ({ at }) => formatFull(at), value: ({ at }) => at },
      ...versions,
      { title: "others", cell: ({ others }) => formatCount(others), value: ({ others }) => others },
    ];
    return {
      x: history.adoption.map(({ at }) => seconds(at)),
      layers: adoptionLayers(history),
      columns: all,
    };
  }, [history]);
  return (
    <ChartFrame
      title="Versions over time"
      columns={columns}
      rows={history.adoption}
      keyOf={({ at }) => at}
      testId="adoption"
      note={model !== undefined && <span className="quiet">devices on {model}</span>}
    >
      {x.length === 0 ? (
        <p className="quiet">It begins with the first device that tells which version it runs.</p>
      ) : (
        <StackedChart
          summary={adoptionSummary(history)}
          x={x}
          layers={layers}
          format={formatCount}
          titleOf={titleOf}
        />
      )}
    </ChartFrame>
  );
}

const CHECK_IN_COLUMNS: readonly FigureColumn<CheckInRow>[] = [
  { title: "From", cell: ({ at }) => formatFull(at), value: ({ at }) => at },
  { title: "Check-ins", cell: ({ checkIns }) => formatCount(checkIns), value: ({ checkIns }) => checkIns },
  {
    title: "Devices in an hour",
    cell: ({ devices }) => formatCount(devices),
    value: ({ devices }) => devices,
  },
];

function CheckIns({ history: { checkIns, stepHours } }: { readonly history: FleetHistoryView }): ReactNode {
  const { x, layers } = useMemo(
    () => ({
      x: checkIns.map(({ at }) => seconds(at)),
      layers: [
        { label: "devices", color: "var(--series-1)", values: checkIns.map(({ devices }) => devices) },
      ],
    }),
    [checkIns],
  );
  const total = checkIns.reduce((sum, each) => sum + each.checkIns, 0);
  return (
    <ChartFrame
      title="Devices that were there"
      columns={CHECK_IN_COLUMNS}
      rows={checkIns}
      keyOf={({ at }) => at}
      testId="check-ins"
      note={<span className="quiet">{formatCount(total)} check-ins</span>}
    >
      {x.length === 0 ? (
        <p className="quiet">No device was heard of in this time.</p>
      ) : (
        <StackedChart
          summary={`Different devices in ${stepHours === 1 ? "each hour" : `the busiest of each ${stepHours} hours`}; the figures are in the table`}
          x={x}
          layers={layers}
          format={formatCount}
          titleOf={titleOf}
        />
      )}
    </ChartFrame>
  );
}
