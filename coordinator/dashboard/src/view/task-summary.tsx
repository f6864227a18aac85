import type { RoundView, TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref } from "../addresses.ts";
import { useDashboard } from "../data/dashboard-context.ts";
import { useVersion } from "../data/use-pages.ts";
import { formatCompact, formatCount, formatLoss, formatShare } from "../format/numbers.ts";
import { formatPorts } from "../format/ports.ts";
import { formatParameters } from "../format/strategy.ts";
import { formatUpdate } from "../format/update.ts";
import { modeWords } from "../model/buffer-lines.ts";
import { secureTask } from "../model/secure-line.ts";
import { Change } from "./change.tsx";

interface Props {
  readonly task: TaskView;
  readonly rounds: readonly RoundView[] | undefined;
}

/** The floor of a secure sum is one of the cohort too. */
function leastOf({ spec: { cohort, secureAggregation } }: TaskView): number {
  const { mode, minimumCohort } = secureAggregation;
  return mode === "on" ? Math.max(cohort.minimumCount, minimumCohort) : cohort.minimumCount;
}

/** What is learned, how far it is, and how good the current version is. */
export function TaskSummary({ task, rounds }: Props): ReactNode {
  const { queries } = useDashboard();
  const secure = secureTask(task);
  const current = useVersion(task.model, task.currentVersion);
  const parent = useVersion(task.model, current?.parentVersion);
  const trains = formatUpdate(task.spec);
  const model = useQuery(queries.models()).data?.find(({ name }) => name === task.model);
  const dropouts = rounds?.reduce((sum, round) => sum + round.dropouts, 0);
  const reports = rounds?.reduce((sum, round) => sum + round.reported, 0);
  return (
    <section className="summary" aria-labelledby="task-title">
      <div className="summary-title">
        <h1 id="task-title">{task.name}</h1>
        <span className="pill" data-state={task.state} data-testid="task-state">
          {task.state}
        </span>
        <p className="summary-note">
          model{" "}
          <Link className="row-link" href={modelHref(task.model)} data-testid="to-model">
            {task.model}
          </Link>
          , population <strong>{task.population}</strong>, a cohort of{" "}
          {formatCount(task.spec.cohort.goalCount)} (at least {formatCount(leastOf(task))}),{" "}
          {task.spec.kind === "train" ? (
            <>
              strategy{" "}
              <strong data-testid="strategy" title={formatParameters(task.spec.strategy)}>
                {task.spec.strategy.name}
              </strong>
            </>
          ) : (
            <strong data-testid="kind">{task.spec.kind === "evaluate" ? "evaluates" : "telemetry"}</strong>
          )}
          {task.spec.kind === "train" && trains !== "" && (
            <>
              , devices train <strong data-testid="trains">{trains}</strong>
            </>
          )}
          , rounds <strong data-testid="mode">{modeWords(task)}</strong>, secure aggregation{" "}
          <strong data-testid="secure" title={secure.sentence}>
            {secure.word === "trial" ? "in a trial, not private" : secure.word}
          </strong>
        </p>
        {model !== undefined && (
          <p className="summary-note" data-testid="ports">
            in <code>{formatPorts(model.inputs)}</code>, out <code>{formatPorts(model.outputs)}</code>
          </p>
        )}
      </div>
      <dl className="figures">
        <div className="figure">
          <dt>Version</dt>
          <dd data-testid="current-version">{task.currentVersion}</dd>
          <dd className="figure-note">
            {current === undefined ? "" : `${formatCompact(current.parameterCount)} parameters`}
          </dd>
        </div>
        {task.spec.kind !== "telemetry" && (
          <>
            <div className="figure">
              <dt>Accuracy, held-out</dt>
              <dd data-testid="accuracy">{formatShare(current?.accuracy)}</dd>
              <dd className="figure-note">
                <Change kind="accuracy" from={parent?.accuracy} to={current?.accuracy} />
              </dd>
            </div>
            <div className="figure">
              <dt>Loss, held-out</dt>
              <dd data-testid="loss">{formatLoss(current?.loss)}</dd>
              <dd className="figure-note">
                <Change kind="loss" from={parent?.loss} to={current?.loss} />
              </dd>
            </div>
          </>
        )}
        <div className="figure">
          <dt>Rounds committed</dt>
          <dd data-testid="rounds-committed">
            {formatCount(task.roundsCommitted)}
            {task.spec.rounds !== null && <small> of {formatCount(task.spec.rounds)}</small>}
          </dd>
          <dd className="figure-note">{task.spec.rounds === null ? "no end set" : ""}</dd>
        </div>
        <div className="figure">
          <dt>Reports averaged</dt>
          <dd data-testid="reports">{reports === undefined ? "–" : formatCount(reports)}</dd>
          <dd className="figure-note">{dropouts === undefined ? "" : `${formatCount(dropouts)} dropouts`}</dd>
        </div>
        {current !== undefined && current.trust !== null && (
          <div className="figure">
            <dt>Trusted updates</dt>
            <dd data-testid="trusted">
              {formatCount(current.trust.trusted)}
              <small> of {formatCount(current.trust.compared)}</small>
            </dd>
            <dd className="figure-note">
              scores {current.trust.lowest.toFixed(2)} to {current.trust.highest.toFixed(2)}, mean{" "}
              {current.trust.mean.toFixed(2)}
            </dd>
          </div>
        )}
      </dl>
    </section>
  );
}
