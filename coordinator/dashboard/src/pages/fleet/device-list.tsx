import type { DeviceView } from "@tributary/api-client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import { deviceHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatCount, NONE } from "../../format/numbers.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import {
  DEVICE_STATES,
  deviceFilter,
  FILTER_KEYS,
  runsOn,
  SEEN,
  type FilterKey,
} from "../../model/fleet-lines.ts";
import { CrossIcon } from "../../ui/icons.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { VirtualTable } from "../../ui/virtual-table.tsx";
import { RevokeButton } from "./revoke-button.tsx";

/** Of these there is a field of their own. */
const FIELDS: readonly FilterKey[] = ["population", "state", "seen", "search"];

/** Every device, page by page, narrowed by what the address says. */
export function DeviceList(): ReactNode {
  const { queries } = useDashboard();
  const [params, setParams] = useSearchParams();
  const now = useServerNow(60_000);
  const minute = Math.floor(now / 60_000);
  const filter = useMemo(() => deviceFilter(params, minute * 60_000), [params, minute]);
  const devices = useInfiniteQuery(queries.devices(filter));
  const set = (key: FilterKey, value: string): void =>
    setParams(
      (was) => {
        const next = new URLSearchParams(was);
        if (value === "") next.delete(key);
        else next.set(key, value);
        // They are of the model.
        if (key === "model" && value === "") for (const each of ["version", "engine"]) next.delete(each);
        return next;
      },
      { replace: true },
    );
  const chips = FILTER_KEYS.filter((key) => !FIELDS.includes(key) && params.has(key));
  return (
    <section
      className="card fleet-devices"
      aria-labelledby="devices-title"
      id="devices"
      data-testid="devices"
    >
      <div className="card-head">
        <h2 id="devices-title">Devices</h2>
        {devices.data !== undefined && (
          <span className="quiet" data-testid="devices-total">
            {formatCount(devices.data.pages[0]?.total ?? 0)}
          </span>
        )}
      </div>
      <search className="fleet-filters" aria-label="Devices">
        <label className="fleet-choice fleet-search">
          <span>Id</span>
          <input
            type="search"
            placeholder="begins with…"
            spellCheck={false}
            value={params.get("search") ?? ""}
            onChange={(event) => set("search", event.target.value.trim())}
            data-testid="device-search"
          />
        </label>
        <label className="fleet-choice">
          <span>State</span>
          <select value={params.get("state") ?? ""} onChange={(event) => set("state", event.target.value)}>
            <option value="">any</option>
            {Object.entries(DEVICE_STATES).map(([state, title]) => (
              <option key={state} value={state}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label className="fleet-choice">
          <span>Seen</span>
          <select value={params.get("seen") ?? ""} onChange={(event) => set("seen", event.target.value)}>
            <option value="">whenever</option>
            {Object.entries(SEEN).map(([seen, { title }]) => (
              <option key={seen} value={seen}>
                {title}
              </option>
            ))}
          </select>
        </label>
        {chips.map((key) => (
          <button
            key={key}
            type="button"
            className="fleet-chip"
            onClick={() => set(key, "")}
            aria-label={`No longer only ${key} ${params.get(key)}`}
          >
            {key} <b>{params.get(key)}</b> <CrossIcon />
          </button>
        ))}
      </search>
      <Loaded query={devices}>
        {({ pages }) => (
          <Rows
            devices={pages.flatMap((page) => page.devices)}
            total={pages[0]?.total ?? 0}
            now={now}
            more={() => {
              if (devices.hasNextPage && !devices.isFetchingNextPage) void devices.fetchNextPage();
            }}
          />
        )}
      </Loaded>
    </section>
  );
}

function Rows({
  devices,
  total,
  now,
  more,
}: {
  readonly devices: readonly DeviceView[];
  readonly total: number;
  readonly now: number;
  readonly more: () => void;
}): ReactNode {
  const columns = useMemo(
    () => [
      {
        title: "Device",
        widthRem: 10.5,
        cell: ({ deviceId }: DeviceView) => (
          <Link className="row-link" href={deviceHref(deviceId)} title={deviceId}>
            <code>{deviceId.slice(0, 16)}…</code>
          </Link>
        ),
      },
      {
        title: "State",
        widthRem: 7,
        cell: ({ state, connected }: DeviceView) => (
          <span className="pill" data-state={connected ? "running" : state === "active" ? "idle" : "failed"}>
            {connected ? "connected" : DEVICE_STATES[state]}
          </span>
        ),
      },
      {
        title: "Last seen",
        widthRem: 6,
        cell: ({ lastSeenAt }: DeviceView) =>
          lastSeenAt === null ? (
            "never"
          ) : (
            <time dateTime={lastSeenAt} title={formatFull(lastSeenAt)}>
              {formatAgo(Date.parse(lastSeenAt), now)}
            </time>
          ),
      },
      { title: "Runs", widthRem: 11, cell: (device: DeviceView) => runsOn(device) || NONE },
      {
        title: "Software",
        widthRem: 10,
        cell: ({ software }: DeviceView) => software ?? NONE,
      },
      {
        title: "Tags",
        widthRem: 5.5,
        cell: ({ tags }: DeviceView) => tags.join(", ") || NONE,
      },
      { title: "Population", widthRem: 5.5, cell: ({ population }: DeviceView) => population },
      { title: "Revoke", widthRem: 5.5, cell: (device: DeviceView) => <RevokeButton device={device} /> },
    ],
    [now],
  );
  if (devices.length === 0) return <p className="quiet">No device is like that.</p>;
  return (
    <VirtualTable
      label="List of devices"
      columns={columns}
      rows={devices}
      keyOf={({ deviceId }) => deviceId}
      total={total}
      attributes={({ deviceId, state }) => ({ "data-device": deviceId, "data-state": state })}
      onEnd={more}
      testId="device-rows"
    />
  );
}
