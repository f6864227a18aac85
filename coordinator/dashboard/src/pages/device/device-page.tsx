import type { DeviceDetailView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatCount } from "../../format/numbers.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { DEVICE_STATES } from "../../model/fleet-lines.ts";
import type { PageProps } from "../../page-entry.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { ReadmitButton, RevokeButton } from "../fleet/revoke-button.tsx";
import "../fleet/fleet.css";

/** What is known of one device. */
export function DevicePage({ params: { device = "" } }: PageProps): ReactNode {
  const found = useQuery(useDashboard().queries.device(device));
  return (
    <Loaded query={found} loading={<PageSkeleton />}>
      {(view) => <Device device={view} />}
    </Loaded>
  );
}

type Version = DeviceDetailView["versions"][number];
type Refusal = DeviceDetailView["refusals"]["newest"][number];

const REFUSAL_COLUMNS: readonly Column<Refusal>[] = [
  { title: "When", cell: ({ at }) => formatFull(at) },
  { title: "Round", cell: ({ round }) => round },
  { title: "Why", text: true, cell: ({ code }) => <code>{code}</code> },
];

function Device({ device }: { readonly device: DeviceDetailView }): ReactNode {
  const now = useServerNow(30_000);
  const ago = (at: string): ReactNode => (
    <time dateTime={at} title={formatFull(at)}>
      {formatAgo(Date.parse(at), now)}
    </time>
  );
  const versions: readonly Column<Version>[] = [
    { title: "Model", cell: ({ model }) => model },
    { title: "Version", cell: ({ version }) => version },
    { title: "Engine", text: true, cell: ({ engine }) => engine ?? "not told" },
    { title: "Told", cell: ({ at }) => ago(at) },
  ];
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Population", device.population],
    ["Last seen", device.lastSeenAt === null ? "never" : ago(device.lastSeenAt)],
    ["Enrolled", ago(device.enrolledAt)],
    ["Certificate", `until ${formatFull(device.certificateExpiresAt)}`],
    ["Software", device.software ?? "not told yet"],
    ["Tags", device.tags.join(", ") || "none"],
    ["Audit name", device.auditName === null ? "not named" : <code>{device.auditName}</code>],
  ];
  return (
    <div className="page">
      <div className="page-head">
        <h1 className="device-name">{device.deviceId}</h1>
        <span
          className="pill"
          data-state={device.connected ? "running" : device.state === "active" ? "idle" : "failed"}
          data-testid="device-state"
        >
          {device.connected ? "connected" : DEVICE_STATES[device.state]}
        </span>
        <RevokeButton device={device} />
        <ReadmitButton device={device} />
      </div>
      <div className="columns">
        <section className="card" aria-label="Facts">
          <dl className="facts">
            {facts.map(([title, value]) => (
              <div key={title}>
                <dt>{title}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section className="card" aria-labelledby="device-runs">
          <h2 id="device-runs">Runs</h2>
          {device.versions.length === 0 ? (
            <p className="quiet">It told of no version.</p>
          ) : (
            <Table
              label="What runs on the device"
              columns={versions}
              rows={device.versions}
              keyOf={({ model }) => model}
            />
          )}
        </section>
      </div>
      <section className="card" aria-labelledby="device-refusals">
        <h2 id="device-refusals">Refused updates</h2>
        {device.refusals.total === 0 ? (
          <p className="quiet">None of its updates was refused.</p>
        ) : (
          <>
            <p className="quiet">
              The newest {device.refusals.newest.length} of {formatCount(device.refusals.total)}.
            </p>
            <Table
              label="Refused updates"
              columns={REFUSAL_COLUMNS}
              rows={device.refusals.newest}
              keyOf={({ round, at }) => `${round} ${at}`}
            />
          </>
        )}
      </section>
    </div>
  );
}
