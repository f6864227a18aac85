import type { RoundView, TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { roundHref, taskHref, versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatBytes, formatCount, formatLoss, formatShare } from "../../format/numbers.ts";
import { formatFull, formatSeconds } from "../../format/time.ts";
import { formatParameters } from "../../format/strategy.ts";
import { isRunning } from "../../model/round-progress.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { WarningIcon } from "../../ui/icons.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { RoundPanel } from "../../view/round-panel.tsx";
import { PhasesCard } from "./phases-card.tsx";
import { PrivacyCard } from "./privacy-card.tsx";
import "./round.css";

/** How one round went, or goes. */
export function RoundPage({ params: { task: name = "", round: number = "" } }: PageProps): ReactNode {
  const { queries } = useDashboard();
  const tasks = useQuery(queries.tasks());
  const round = useQuery(queries.round(name, Number(number)));
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(list) => (
        <Loaded query={round} loading={<PageSkeleton />}>
          {(found) => {
            const task = list.find((each) => each.name === name);
            if (task !== undefined && found !== null) return <Round task={task} round={found} />;
            return (
              <div className="page">
                <Empty title="No such round" testId="no-such-round">
                  <p>
                    Task <strong>{name}</strong> has no round {number}.
                  </p>
                </Empty>
              </div>
            );
          }}
        </Loaded>
      )}
    </Loaded>
  );
}

interface Props {
  readonly task: TaskView;
  readonly round: RoundView;
}

function Round({ task, round }: Props): ReactNode {
  const newest = task.round?.number ?? round.number;
  return (
    <div className="page" data-testid="round" data-phase={round.phase}>
      <div className="page-head">
        <h1>Round {round.number}</h1>
        <nav className="actions" aria-label="Rounds beside it">
          {round.number > 1 && (
            <Link className="more-link" href={roundHref(task.name, round.number - 1)}>
              Before
            </Link>
          )}
          {round.number < newest && (
            <Link className="more-link" href={roundHref(task.name, round.number + 1)}>
              After
            </Link>
          )}
        </nav>
        <p className="summary-note">
          of task{" "}
          <Link className="row-link" href={taskHref(task.name)}>
            {task.name}
          </Link>
        </p>
      </div>
      {round.phase === "abandoned" && (
        <div className="load-error" data-testid="round-reason">
          <WarningIcon />
          <p>
            This round made no version.
            <code>{round.reason ?? "no reason given"}</code>
          </p>
        </div>
      )}
      <RoundPanel task={task} round={round} title={isRunning(round) ? "How it goes" : "How it went"} />
      <div className="columns">
        <PhasesCard round={round} />
        <PrivacyCard round={round} />
      </div>
      <Facts task={task} round={round} />
    </div>
  );
}

function Facts({ task, round }: Props): ReactNode {
  const { strategy } = task.spec;
  return (
    <section className="card stack" aria-labelledby="round-facts">
      <h2 id="round-facts">What it did</h2>
      <dl className="facts">
        <Fact term="From">
          <Link className="row-link" href={versionHref(round.model, round.baseVersion)}>
            version {round.baseVersion}
          </Link>{" "}
          of {round.model}
        </Fact>
        <Fact term="Made">
          {round.version === null ? (
            madeWords(round)
          ) : (
            <Link className="row-link" href={versionHref(round.model, round.version)}>
              version {round.version}
            </Link>
          )}
        </Fact>
        {round.purpose === "train" && (
          <Fact term="Strategy">
            {strategy.name} <small>{formatParameters(strategy)}</small>
          </Fact>
        )}
        {task.gate !== null && (
          <Fact term="Gate">
            {round.purpose === "gate"
              ? "held-out devices measured for it"
              : `of the task: ${task.gate.last?.result ?? "no verdict yet"}`}
          </Fact>
        )}
        <Fact term="Training">
          loss {formatLoss(round.trainLoss)}, accuracy {formatShare(round.trainAccuracy)}
          <small>in the mean over {formatCount(round.numExamples)} examples on devices</small>
        </Fact>
        <Fact term="Held-out">
          loss {formatLoss(round.loss)}, accuracy {formatShare(round.accuracy)}
        </Fact>
        <Fact term="Traffic">
          {formatBytes(round.bytesUp)} sent, {formatBytes(round.bytesDown)} fetched
        </Fact>
        <Fact term="Time">
          {formatFull(round.startedAt)}
          {round.endedAt !== null && (
            <small>
              to {formatFull(round.endedAt)}
              {round.seconds !== null && `, ${formatSeconds(round.seconds)} from the first offer`}
            </small>
          )}
        </Fact>
        <Fact term="Known as">
          <code>{round.id}</code>
        </Fact>
      </dl>
    </section>
  );
}

function madeWords(round: RoundView): string {
  if (isRunning(round)) return "nothing yet";
  if (round.phase === "buffered") return "a sum that waits for its version";
  if (round.phase === "abandoned") return "no version";
  return round.purpose === "train" ? "no version" : "a measurement";
}

function Fact({ term, children }: { readonly term: string; readonly children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}
