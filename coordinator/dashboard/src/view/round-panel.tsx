import type { RoundView, TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { roundHref } from "../addresses.ts";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatBytes, formatCount, formatLoss, formatShare } from "../format/numbers.ts";
import { formatSeconds } from "../format/time.ts";
import { isRunning, roundSentence } from "../model/round-progress.ts";
import { secureLine } from "../model/secure-line.ts";
import { Countdown } from "./countdown.tsx";
import { Participants } from "./participants.tsx";
import { PhaseTimeline } from "./phase-timeline.tsx";
import { Refusals } from "./refusals.tsx";

interface Props {
  readonly task: TaskView;
  /** Null: there was none yet. */
  readonly round: RoundView | null;
  /** @defaultValue the round's number */
  readonly title?: string;
}

/** A round: how far it is, with whom, and what became of it. */
export function RoundPanel({ task, round, title }: Props): ReactNode {
  return (
    <section className="card round" aria-labelledby="round-title" data-testid="round-panel">
      {round === null ? (
        <div>
          <h2 id="round-title">No round yet</h2>
          <p className="quiet">
            {task.state === "running"
              ? "The first round begins as soon as devices check in."
              : `The task is ${task.state}.`}
          </p>
        </div>
      ) : (
        <Round round={round} task={task} title={title} />
      )}
      <p className="visually-hidden" aria-live="polite" data-testid="round-sentence">
        {round === null ? "" : roundSentence(round)}
      </p>
    </section>
  );
}

interface RoundProps {
  readonly round: RoundView;
  readonly task: TaskView;
  readonly title: string | undefined;
}

function Round({ round, task, title }: RoundProps): ReactNode {
  const { data: status } = useQuery(useDashboard().queries.status());
  return (
    <>
      <div className="round-head">
        <div>
          <h2 id="round-title">
            {title ?? (
              <Link href={roundHref(task.name, round.number)}>
                Round <span data-testid="round-number">{round.number}</span>
              </Link>
            )}
          </h2>
          <p className="quiet">{subtitle(round, task)}</p>
        </div>
        {isRunning(round) ? <Countdown round={round} spec={task.spec} /> : <Outcome round={round} />}
      </div>
      <PhaseTimeline round={round} />
      <Participants round={round} goalCount={task.spec.cohort.goalCount} />
      <dl className="counts">
        <Count name="Offered" value={round.offered} id="offered" />
        <Count name="Ready" value={round.ready} id="ready" />
        <Count name="Cohort" value={round.cohort} id="cohort" />
        <Count name="Reported" value={round.reported} id="reported" />
        <Count name="Dropouts" value={round.dropouts} id="dropouts" tone="warn" />
        <Count name="Refused" value={round.refused} id="refused" tone="bad" />
      </dl>
      {/* The round's own page has a card for it. */}
      {title === undefined && (
        <p className="quiet" data-testid="secure-line">
          {secureLine(round, status?.issuer)}
        </p>
      )}
      {round.refused > 0 && <Refusals round={round} />}
    </>
  );
}

function subtitle(round: RoundView, task: TaskView): string {
  if (round.phase === "committed") {
    const examples = round.numExamples > 0 ? `, from ${formatCount(round.numExamples)} examples` : "";
    return `${committedWords(round)}${examples}`;
  }
  if (round.phase === "buffered") return `from version ${round.baseVersion}; its sum waits for a version`;
  if (round.phase === "abandoned")
    return `version ${round.baseVersion} stays; ${round.reason ?? "no reason given"}`;
  const traffic =
    round.bytesDown > 0 ? `, ${formatBytes(round.bytesDown)} down, ${formatBytes(round.bytesUp)} up` : "";
  return `${task.state === "paused" ? "task paused; " : ""}from version ${round.baseVersion}${traffic}`;
}

/** What a committed round made or measured. */
function committedWords({ purpose, version, baseVersion }: RoundView): string {
  if (purpose === "gate") return "measured the candidate on held-out devices";
  if (purpose === "evaluate") return `measured version ${baseVersion}`;
  if (purpose === "telemetry") return `gathered telemetry of version ${baseVersion}`;
  return `became version ${version ?? "–"}`;
}

function Outcome({ round }: { readonly round: RoundView }): ReactNode {
  return (
    <dl className="outcome">
      {round.purpose !== "telemetry" && (
        <>
          <div>
            <dt>Accuracy</dt>
            <dd>{formatShare(round.accuracy)}</dd>
          </div>
          <div>
            <dt>Loss</dt>
            <dd>{formatLoss(round.loss)}</dd>
          </div>
        </>
      )}
      <div>
        <dt>Took</dt>
        <dd>{formatSeconds(round.seconds)}</dd>
      </div>
    </dl>
  );
}

interface CountProps {
  readonly name: string;
  readonly value: number;
  readonly id: string;
  readonly tone?: "warn" | "bad";
}

function Count({ name, value, id, tone }: CountProps): ReactNode {
  return (
    <div className="count" data-tone={value > 0 ? tone : undefined}>
      <dt>{name}</dt>
      <dd data-testid={`count-${id}`}>{formatCount(value)}</dd>
    </div>
  );
}
