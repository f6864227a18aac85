import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatFull } from "../format/time.ts";
import { suspicionLines } from "../model/suspicion-lines.ts";
import { CommandLine } from "../ui/command-line.tsx";

/** Who is suspected of making secure sums fail, or sends updates that are refused, and how a device is released. Nothing while nobody is. */
export function Suspicions({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const { data = [] } = useQuery(queries.suspicions(task.name));
  const secure = task.spec.secureAggregation.mode === "on";
  const lines = suspicionLines(data, secure);
  if (lines === undefined) return null;
  return (
    <section className="card stack" aria-labelledby="suspicions-title" data-testid="suspicions">
      <h2 id="suspicions-title">{secure ? "Failed sums" : "Refused devices"}</h2>
      <p className="quiet">{lines.sentence}</p>
      {lines.quarantined.map(({ device, points, roundId, at }) => (
        <div className="stack" key={device} data-testid="quarantined" data-device={device}>
          <p title={formatFull(at)}>
            <code>{device.slice(0, 8)}</code>: {points} {secure ? "failed cohorts" : "refused updates"}, the
            last in <code>{roundId}</code>
          </p>
          <CommandLine command={`npx --yes pnpm@12 tributary task release ${task.name} ${device}`} />
        </div>
      ))}
    </section>
  );
}
