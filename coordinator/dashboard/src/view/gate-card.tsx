import type { TaskView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { gateLines } from "../model/gate-lines.ts";
import { CommandLine } from "./command-line.tsx";

/** What the task's gate found, and what follows. Nothing where it has none. */
export function GateCard({ task }: { readonly task: TaskView }): ReactNode {
  const lines = gateLines(task);
  const paused = task.reason?.code === "gate";
  if (lines === undefined) return null;
  return (
    <section className="card" aria-labelledby="gate-title" data-testid="gate" data-state={lines.state}>
      <h2 id="gate-title">
        Gate <span className="pill pill-small">{lines.state}</span>
      </h2>
      <p>{lines.sentence}</p>
      {lines.evidence !== undefined && <p data-testid="gate-evidence">{lines.evidence}</p>}
      <p className="quiet" data-testid="gate-next">
        {lines.next}
      </p>
      {paused && <CommandLine command={`npx --yes pnpm@12 tributary task resume ${task.name}`} />}
    </section>
  );
}
