import type { FleetView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useSearchParams } from "wouter";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatCount, formatShare } from "../../format/numbers.ts";
import { fleetGroups, type FleetGroup, type FleetGroups } from "../../model/fleet-lines.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { DeviceList } from "./device-list.tsx";
import { FleetHistory } from "./fleet-history.tsx";
import "./fleet.css";

/** Groups of one kind that are shown before somebody asks for all. */
const SHOWN = 6;

/** Who takes part: what runs where, how that changes, and each device. */
export function FleetPage(): ReactNode {
  const { queries } = useDashboard();
  const [params] = useSearchParams();
  const population = params.get("population") ?? undefined;
  const fleet = useQuery(queries.fleet(population));
  return (
    <Loaded query={fleet} loading={<PageSkeleton />}>
      {(view) => (
        <div className="page">
          {view.devices.known === 0 && population === undefined ? <NoDevice /> : <Fleet fleet={view} />}
        </div>
      )}
    </Loaded>
  );
}

function NoDevice(): ReactNode {
  return (
    <Empty title="No device yet">
      <p>
        Devices come with a token of their app’s backend, or by themselves where a population is open to
        anybody: the guide to issuers says how.
      </p>
    </Empty>
  );
}

function Fleet({ fleet }: { readonly fleet: FleetView }): ReactNode {
  const [params, setParams] = useSearchParams();
  const models = [...new Set(fleet.versions.map(({ model }) => model))].toSorted();
  const asked = params.get("of");
  const model = asked !== null && models.includes(asked) ? asked : models[0];
  const { known, active, connected, revoked } = fleet.devices;
  const figures: readonly (readonly [string, number, string])[] = [
    ["Connected", connected, "now"],
    ["Active", active, "in 30 days"],
    ["Known", known, "enrolled"],
    ["Revoked", revoked, "refused"],
  ];
  const choose = (key: string, value: string): void =>
    setParams(
      (was) => {
        const next = new URLSearchParams(was);
        if (value === "") next.delete(key);
        else next.set(key, value);
        return next;
      },
      { replace: true },
    );
  return (
    <>
      <div className="page-head">
        <h1>Fleet</h1>
        {(fleet.populations.length > 1 || params.has("population")) && (
          <Choice
            label="Population"
            value={params.get("population") ?? ""}
            options={[
              ["", "all populations"],
              ...fleet.populations.map(({ population }) => [population, population] as const),
            ]}
            onChange={(value) => choose("population", value)}
          />
        )}
        {models.length > 1 && (
          <Choice
            label="Model"
            value={model ?? ""}
            options={models.map((name) => [name, name] as const)}
            onChange={(value) => choose("of", value)}
          />
        )}
      </div>
      <section className="card" aria-label="Devices in figures">
        <dl className="fleet-figures">
          {figures.map(([title, value, note]) => (
            <div key={title} data-testid={`fleet-${title.toLowerCase()}`}>
              <dt>{title}</dt>
              <dd>
                {formatCount(value)} <small>{note}</small>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <div className="fleet-groups">
        {fleetGroups(fleet, model).map((groups) => (
          <Groups key={groups.title} {...groups} />
        ))}
      </div>
      <FleetHistory model={model} population={params.get("population") ?? undefined} />
      <DeviceList />
    </>
  );
}

function Choice({
  label,
  value,
  options,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, title: string])[];
  readonly onChange: (value: string) => void;
}): ReactNode {
  return (
    <label className="fleet-choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, title]) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Devices by one thing, as bars; each leads to those devices in the list. */
function Groups({ title, none, groups }: FleetGroups): ReactNode {
  const [all, setAll] = useState(false);
  const most = Math.max(1, ...groups.map(({ devices }) => devices));
  const total = groups.reduce((sum, { devices }) => sum + devices, 0);
  const shown = all ? groups : groups.slice(0, SHOWN);
  return (
    <section className="card" aria-label={title} data-testid="fleet-group">
      <h2>{title}</h2>
      {groups.length === 0 ? (
        <p className="quiet">{none}</p>
      ) : (
        <ul className="fleet-bars">
          {shown.map((group) => (
            <GroupLine key={group.key} group={group} share={group.devices / total} most={most} />
          ))}
        </ul>
      )}
      {shown.length < groups.length && (
        <button type="button" className="more" onClick={() => setAll(true)}>
          Show all {groups.length}
        </button>
      )}
    </section>
  );
}

function GroupLine({
  group: { title, devices, filter },
  share,
  most,
}: {
  readonly group: FleetGroup;
  readonly share: number;
  readonly most: number;
}): ReactNode {
  const [, setParams] = useSearchParams();
  const entries = Object.entries(filter);
  const look = (): void => {
    setParams(
      (was) => {
        const next = new URLSearchParams(was);
        // A version and an engine are of a model: one does not narrow another's.
        if ("model" in filter) for (const key of ["model", "version", "engine"]) next.delete(key);
        for (const [key, value] of entries) next.set(key, value);
        return next;
      },
      { replace: true },
    );
    document.querySelector("#devices")?.scrollIntoView({ block: "start" });
  };
  const words = (
    <>
      <span className="fleet-bar-name">{title}</span>
      <span className="fleet-bar-count">
        {formatCount(devices)} <small>{formatShare(share)}</small>
      </span>
      <span className="fleet-bar" aria-hidden="true">
        <i style={{ width: `${(100 * devices) / most}%` }} />
      </span>
    </>
  );
  return (
    <li>
      {entries.length === 0 ? (
        <div className="fleet-line">{words}</div>
      ) : (
        <button type="button" className="fleet-line" onClick={look} title="Show these devices">
          {words}
        </button>
      )}
    </li>
  );
}
