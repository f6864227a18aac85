import type { RoundView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatCount } from "../../format/numbers.ts";
import { formatClock, formatSeconds } from "../../format/time.ts";
import { phaseSpans } from "../../model/round-figures.ts";
import { isRunning } from "../../model/round-progress.ts";

/** What each phase took, and whom it lost. */
export function PhasesCard({ round }: { readonly round: RoundView }): ReactNode {
  const now = useServerNow(1_000);
  const spans = phaseSpans(round).map(({ seconds, ...span }) => ({
    ...span,
    open: seconds === null && isRunning(round),
    seconds: seconds ?? Math.max(0, now - Date.parse(span.startedAt)) / 1000,
  }));
  const longest = Math.max(...spans.map(({ seconds }) => seconds), 0);
  return (
    <section className="card stack" aria-labelledby="phases-title" data-testid="round-phases">
      <h2 id="phases-title">Phases</h2>
      {spans.length === 0 && (
        <p className="quiet">They were not kept: an older coordinator ran this round.</p>
      )}
      <ol className="bars">
        {spans.map(({ phase, startedAt, seconds, dropouts, open }) => (
          <li key={startedAt + phase}>
            <p>
              <span>
                <span className="phase-name">{phase}</span>{" "}
                <span className="quiet">from {formatClock(startedAt)}</span>
              </span>
              <b>
                {formatSeconds(seconds)}
                {open && <span className="quiet"> so far</span>}
              </b>
            </p>
            <svg className="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
              <rect
                data-state={open ? "ready" : "reported"}
                width={longest === 0 ? 0 : (100 * seconds) / longest}
                height="1"
              />
            </svg>
            {dropouts > 0 && (
              <p className="lost">
                {formatCount(dropouts)} {dropouts === 1 ? "device" : "devices"} dropped out
              </p>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
