import type { TaskView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { gateLines, type GateLines } from "../model/gate-lines.ts";
import { intervalMarks } from "../model/interval-marks.ts";
import { CommandLine } from "../ui/command-line.tsx";

/** What the task's gate found, and what follows. Nothing where it has none. */
export function GateCard({ task }: { readonly task: TaskView }): ReactNode {
  const lines = gateLines(task);
  const paused = task.reason?.code === "gate";
  if (lines === undefined) return null;
  return (
    <section className="card stack" aria-labelledby="gate-title" data-testid="gate" data-state={lines.state}>
      <div className="card-head">
        <h2 id="gate-title">Gate</h2>
        <span className="pill" data-state={lines.state}>
          {lines.state}
        </span>
      </div>
      <p>{lines.sentence}</p>
      {lines.interval !== undefined && <IntervalFigure {...lines.interval} />}
      {lines.evidence !== undefined && (
        <p className="quiet" data-testid="gate-evidence">
          {lines.evidence}
        </p>
      )}
      <p className="quiet" data-testid="gate-next">
        {lines.next}
      </p>
      {paused && <CommandLine command={`npx --yes pnpm@12 tributary task resume ${task.name}`} />}
    </section>
  );
}

/** The interval of an improvement beside what is required: right of the line it passes. */
function IntervalFigure({
  lower,
  improvement,
  upper,
  required,
  low,
  high,
  needed,
}: NonNullable<GateLines["interval"]>): ReactNode {
  const at = intervalMarks({ lower, improvement, upper, required });
  return (
    <figure className="interval" aria-label={`from ${low} to ${high}; ${needed} is required`}>
      <svg viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
        <rect className="interval-pass" x={at.required} y="0" width={100 - at.required} height="20" />
        <line className="interval-needed" x1={at.required} x2={at.required} y1="0" y2="20" />
        <line className="interval-range" x1={at.lower} x2={at.upper} y1="10" y2="10" />
        <line className="interval-mean" x1={at.improvement} x2={at.improvement} y1="3" y2="17" />
      </svg>
      <figcaption>
        <span>worse</span>
        <span>better</span>
      </figcaption>
    </figure>
  );
}
