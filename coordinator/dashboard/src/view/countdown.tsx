import type { RoundView, TaskView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { useServerNow } from "../data/use-server-now.ts";
import { formatCountdown } from "../format/time.ts";

interface Props {
  readonly round: RoundView;
  readonly spec: TaskView["spec"];
}

/** Time left in the phase, or time spent where the phase has no deadline. */
export function Countdown({ round, spec }: Props): ReactNode {
  const now = useServerNow(250);
  if (round.deadlineAt === null) {
    return (
      <div className="countdown" data-testid="countdown">
        <span className="countdown-value">{formatCountdown(now - Date.parse(round.startedAt))}</span>
        <span className="countdown-label">since the start</span>
      </div>
    );
  }
  const leftMs = Date.parse(round.deadlineAt) - now;
  const wholeMs = round.phase === "reporting" ? spec.cohort.reportDeadlineMs : spec.cohort.trainDeadlineMs;
  return (
    <div className="countdown" data-testid="countdown" data-short={leftMs < wholeMs / 5 || undefined}>
      <span className="countdown-value">{formatCountdown(leftMs)}</span>
      <span className="countdown-label">
        {round.phase === "reporting" ? "to the report deadline" : "to the training deadline"}
      </span>
      <meter className="visually-hidden" min={0} max={wholeMs} value={Math.max(0, Math.min(wholeMs, leftMs))}>
        {formatCountdown(leftMs)}
      </meter>
    </div>
  );
}
