import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatCount } from "../format/numbers.ts";
import { bufferSentence, bufferShare, stalenessWords } from "../model/buffer-lines.ts";

/** Cohorts listed; the API has more. */
const SHOWN = 12;

/** What waits for the next version of a buffered task, what devices train from, and which cohorts made which version. */
export function BufferCard({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const { data: buffer } = useQuery(queries.buffer(task.name));
  if (buffer === undefined || buffer === null) return null;
  return (
    <section className="card" aria-labelledby="buffer-title" data-testid="buffer">
      <h2 id="buffer-title">Buffer</h2>
      <p className="quiet" data-testid="buffer-line">
        {bufferSentence(buffer)}
      </p>
      <svg className="bar" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        <rect data-state="reported" width={bufferShare(buffer)} height="1" />
      </svg>
      <dl className="counts" data-testid="live-bases">
        {buffer.liveBases.map(({ version, staleness, devices, ready }) => (
          <div className="count" key={version}>
            <dt>
              {staleness === 0 ? `from version ${version}` : `from version ${version}, ${staleness} old`}
            </dt>
            <dd>
              {formatCount(devices)} <small>{formatCount(ready)} ready</small>
            </dd>
          </div>
        ))}
      </dl>
      <ul className="legend" aria-label="Cohorts">
        {buffer.cohorts.slice(0, SHOWN).map((cohort) => (
          <li key={cohort.roundId} data-testid="buffered-cohort">
            <code>{cohort.roundId}</code>: {formatCount(cohort.updates)} updates, {stalenessWords(cohort)},{" "}
            {cohort.version === null ? "waits" : `in version ${cohort.version}`}
          </li>
        ))}
      </ul>
    </section>
  );
}
