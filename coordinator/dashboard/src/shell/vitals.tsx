import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useConnection, useDashboard } from "../data/dashboard-context.ts";
import { formatCount } from "../format/numbers.ts";
import type { Connection } from "../live/connection.ts";
import { DeviceIcon } from "../ui/icons.tsx";

const WORDS: Readonly<Record<Connection["stream"]["status"], string>> = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  failed: "Disconnected",
};

/** How many devices are there, and whether what is shown is fresh. */
export function Vitals(): ReactNode {
  const { queries } = useDashboard();
  const { data: status } = useQuery(queries.status());
  const { stream, role } = useConnection();
  return (
    <dl className="vitals">
      <div className="vital" data-testid="devices">
        <dt>
          <DeviceIcon />
          <span className="visually-hidden">Connected devices</span>
        </dt>
        <dd>
          {status === undefined ? (
            <span className="skeleton skeleton-word" />
          ) : (
            <>
              <strong data-testid="devices-connected">{formatCount(status.devices.connected)}</strong>
              <span className="vital-more">
                {status.devices.connected === 1 ? " device, " : " devices, "}
                <span data-testid="devices-training">{formatCount(status.devices.training)}</span> training
              </span>
            </>
          )}
        </dd>
      </div>
      <div className="vital">
        <dt className="visually-hidden">Connection</dt>
        <dd
          className="live"
          data-testid="connection"
          data-status={stream.status}
          data-role={role}
          title={
            role === "leader"
              ? "This tab carries the event stream for all tabs"
              : "Another tab carries the event stream"
          }
        >
          <span className="live-dot" aria-hidden="true" />
          <span className="live-word">{WORDS[stream.status]}</span>
        </dd>
      </div>
    </dl>
  );
}
