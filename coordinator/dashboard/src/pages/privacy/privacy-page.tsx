import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { Link } from "wouter";
import { taskHref } from "../../addresses.ts";
import { LineChart } from "../../charts/line-chart.tsx";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatFull } from "../../format/time.ts";
import {
  erasureLine,
  healthLine,
  issuerLine,
  logLine,
  metricWords,
  retentionLines,
  revealedLines,
  roundsLine,
} from "../../model/privacy-lines.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { CardSkeleton, PageSkeleton } from "../../ui/skeleton.tsx";
import "./privacy.css";

/** Read of so many tasks at first, each by a request. */
const FIRST_TASKS = 10;

/** What is learned of people's devices, in plain words: for whoever has to answer for it, on paper too. */
export function PrivacyPage(): ReactNode {
  const { queries } = useDashboard();
  const privacy = useQuery(queries.privacy());
  const tasks = useQuery(queries.tasks());
  const [shown, setShown] = useState(FIRST_TASKS);
  return (
    <div className="page privacy">
      <div className="page-head">
        <h1>Privacy</h1>
        <button type="button" className="no-print" onClick={() => print()}>
          Print
        </button>
      </div>
      <Loaded query={privacy} loading={<PageSkeleton />}>
        {(view) => (
          <section className="card stack" aria-labelledby="privacy-all" data-testid="privacy-all">
            <h2 id="privacy-all">For all tasks</h2>
            <dl className="plain-words">
              <dt>Who vouches for devices</dt>
              <dd>{issuerLine(view)}</dd>
              <dt>The public log of devices</dt>
              <dd>
                {logLine(view)}
                {view.certificateLog.signed !== null && view.certificateLog.size > 0 && (
                  <code className="fingerprint">{view.certificateLog.signed.rootHash}</code>
                )}
              </dd>
              <dt>What devices tell by themselves</dt>
              <dd>{healthLine(view)}</dd>
              <dt>Requests to be forgotten</dt>
              <dd>
                {erasureLine(view)}
                {view.erasures.newestAt !== null && ` The last one: ${formatFull(view.erasures.newestAt)}.`}
              </dd>
              <dt>How long things are kept</dt>
              <dd>
                <ul>
                  {retentionLines(view).map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </dd>
            </dl>
          </section>
        )}
      </Loaded>
      <Loaded query={tasks}>
        {(all) => (
          <>
            {all.length === 0 && <p className="quiet">There is no task yet: nothing is asked of devices.</p>}
            {all.slice(0, shown).map((task) => (
              <TaskCard key={task.name} task={task} />
            ))}
            {all.length > shown && (
              <div className="no-print">
                <button type="button" onClick={() => setShown(shown + FIRST_TASKS)}>
                  Show more of {all.length} tasks
                </button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

function TaskCard({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const privacy = useQuery(queries.taskPrivacy(task.name));
  const secure = task.spec.secureAggregation.mode === "on";
  return (
    <section className="card stack" aria-label={`Task ${task.name}`} data-testid="privacy-task">
      <div className="card-head">
        <h2>
          <Link href={taskHref(task.name)}>{task.name}</Link>
        </h2>
        <span className="pill" data-state={secure ? "passed" : "failed"}>
          {secure ? "sums only" : "each contribution in the open"}
        </span>
      </div>
      {revealedLines(task.spec).map((line) => (
        <p key={line}>{line}</p>
      ))}
      <Loaded query={privacy} loading={<CardSkeleton />}>
        {(found) => (
          <>
            <p data-testid="privacy-rounds">{roundsLine(found)}</p>
            <CohortSizes cohorts={found.cohorts} />
            {found.metrics.length > 0 && (
              <p className="quiet">
                Counted on devices and added up {secure ? "under the same masks" : "in the open"}:{" "}
                {metricWords(found.metrics).join(", ")}.
              </p>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function CohortSizes({
  cohorts,
}: {
  readonly cohorts: readonly {
    readonly round: number;
    readonly devices: number;
    readonly private: boolean;
  }[];
}): ReactNode {
  const x = useMemo(() => cohorts.map(({ round }) => round), [cohorts]);
  const lines = useMemo(
    () => [{ name: "devices", values: cohorts.map(({ devices }) => devices) }],
    [cohorts],
  );
  if (cohorts.length < 2) return null;
  return (
    <LineChart
      label="Devices in the sum, by round"
      x={x}
      lines={lines}
      formatX={String}
      formatY={String}
      from={0}
    />
  );
}
