import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatCount } from "../format/numbers.ts";
import { bufferSentence, bufferShare, stalenessWords } from "../model/buffer-lines.ts";

/** Cohorts listed; the API has more. */
const SHOWN = 8;

/** What waits for the next version of a buffered task, what devices train from, and which cohorts made which version. */
export function BufferCard({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const { data: buffer } = useQuery(queries.buffer(task.name));
  if (buffer === undefined || buffer === null) return null;
  return (
    <section className="card stack" aria-labelledby="buffer-title" data-testid="buffer">
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
              Base {version}, {staleness === 0 ? "the newest" : stalenessWords({ staleness })}
            </dt>
            <dd>
              {formatCount(devices)} <small>{formatCount(ready)} ready</small>
            </dd>
          </div>
        ))}
      </dl>
      {buffer.cohorts.length > 0 && (
        // The table may be wider than a phone: the region scrolls, in every browser by keyboard too.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <section className="scroll" aria-label="Table of cohorts" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Cohort</th>
                <th scope="col">Updates</th>
                <th scope="col">From version</th>
                <th scope="col">Staleness</th>
                <th scope="col">Counts</th>
                <th scope="col">In version</th>
              </tr>
            </thead>
            <tbody>
              {buffer.cohorts.slice(0, SHOWN).map((cohort) => (
                <tr key={cohort.roundId} data-testid="buffered-cohort">
                  <th scope="row">{cohort.roundId}</th>
                  <td>{formatCount(cohort.updates)}</td>
                  <td>{cohort.baseVersion}</td>
                  <td>{stalenessWords(cohort)}</td>
                  <td>{cohort.discount.toFixed(2)}</td>
                  <td>{cohort.version ?? <span className="of">waits</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}
