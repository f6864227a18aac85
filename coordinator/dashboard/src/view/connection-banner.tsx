import type { ReactNode } from "react";
import { useConnection, useDashboard } from "../data/dashboard-context.ts";
import { useNow } from "../data/use-now.ts";
import { WarningIcon } from "../ui/icons.tsx";

/** Says that the figures stand still, why, and when the next attempt is made. */
export function ConnectionBanner(): ReactNode {
  const { stream } = useConnection();
  const { live } = useDashboard();
  const now = useNow(500, stream.status === "waiting");
  const lost = stream.status === "waiting" || stream.status === "failed";
  const seconds = stream.status === "waiting" ? Math.max(0, Math.ceil((stream.retryAtMs - now) / 1000)) : 0;
  return (
    <div aria-live="polite">
      {lost && (
        <div className="banner" data-testid="connection-lost">
          <WarningIcon />
          <p>
            <strong>{stream.status === "failed" ? "No live updates." : "Connection lost."}</strong>{" "}
            <span className="banner-why">{stream.reason}</span> The figures below stand still.
            {stream.status === "waiting" && (
              <span className="banner-retry" aria-hidden="true">
                {seconds === 0 ? " Trying now…" : ` Next attempt in ${seconds} s.`}
              </span>
            )}
          </p>
          {stream.status === "waiting" ? (
            <button type="button" onClick={() => live.retry()}>
              Try now
            </button>
          ) : (
            <button type="button" onClick={() => location.reload()}>
              Reload
            </button>
          )}
        </div>
      )}
    </div>
  );
}
