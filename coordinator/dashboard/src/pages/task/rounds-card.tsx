import type { RoundView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { roundHref } from "../../addresses.ts";
import { formatBytes, formatCount, formatLoss, formatShare, NONE } from "../../format/numbers.ts";
import { formatClock, formatFull, formatSeconds } from "../../format/time.ts";
import { isRunning } from "../../model/round-progress.ts";
import { secureWord } from "../../model/secure-line.ts";
import { CardSkeleton } from "../../ui/skeleton.tsx";
import { type VirtualColumn, VirtualTable } from "../../ui/virtual-table.tsx";

const COLUMNS: readonly VirtualColumn<RoundView>[] = [
  {
    title: "Round",
    widthRem: 5,
    cell: ({ task, number }) => (
      <Link className="row-link" href={roundHref(task, number)}>
        {number}
      </Link>
    ),
  },
  {
    title: "Version",
    widthRem: 7,
    cell: (round) =>
      round.version ??
      (round.purpose !== "train" && round.phase === "committed" ? (
        round.purpose
      ) : (
        <PhaseWord round={round} />
      )),
  },
  { title: "Reported", widthRem: 7, cell: (round) => <Reported round={round} /> },
  {
    title: "Secure",
    widthRem: 5,
    cell: (round) => <span data-testid="round-secure">{secureWord(round)}</span>,
  },
  { title: "Accuracy", widthRem: 6, cell: ({ accuracy }) => formatShare(accuracy) },
  { title: "Loss", widthRem: 5, cell: ({ loss }) => formatLoss(loss) },
  { title: "Time", widthRem: 7, cell: ({ seconds }) => formatSeconds(seconds) },
  { title: "Up", widthRem: 5.5, cell: ({ bytesUp }) => formatBytes(bytesUp) },
  { title: "Down", widthRem: 5.5, cell: ({ bytesDown }) => formatBytes(bytesDown) },
  {
    title: "Ended",
    widthRem: 6,
    cell: ({ endedAt }) =>
      endedAt === null ? (
        NONE
      ) : (
        <time dateTime={endedAt} title={formatFull(endedAt)}>
          {formatClock(endedAt)}
        </time>
      ),
  },
];

interface Props {
  readonly rounds: readonly RoundView[] | undefined;
  /** Reads older ones; undefined: all are here. */
  readonly onEnd: (() => void) | undefined;
}

/** All rounds of the task, newest first; older ones are read as they come into sight. */
export function RoundsCard({ rounds, onEnd }: Props): ReactNode {
  return (
    <section className="card" aria-labelledby="rounds-title" data-testid="rounds">
      <div className="card-head">
        <h2 id="rounds-title">Rounds</h2>
        {rounds !== undefined && rounds.length > 0 && (
          <span className="quiet">{formatCount(rounds[0]!.number)}</span>
        )}
      </div>
      {rounds === undefined && <CardSkeleton />}
      {rounds?.length === 0 && <p className="quiet">None yet.</p>}
      {rounds !== undefined && rounds.length > 0 && (
        <VirtualTable
          label="Table of rounds"
          columns={COLUMNS}
          rows={rounds}
          keyOf={({ id }) => id}
          total={rounds[0]!.number}
          attributes={({ number, phase }) => ({
            "data-testid": "round-row",
            "data-round": number,
            "data-phase": phase,
          })}
          onEnd={onEnd}
        />
      )}
    </section>
  );
}

function Reported({ round }: { readonly round: RoundView }): ReactNode {
  const lost = round.dropouts + round.refused;
  return (
    <>
      {round.reported}
      <span className="of"> / {round.cohort}</span>
      {lost > 0 && (
        <span className="lost" title={`${round.dropouts} dropouts, ${round.refused} refused`}>
          −{lost}
        </span>
      )}
    </>
  );
}

function PhaseWord({ round }: { readonly round: RoundView }): ReactNode {
  return (
    <span
      className="phase-word"
      data-running={isRunning(round) || undefined}
      data-phase={round.phase}
      data-reason={round.reason ?? undefined}
      title={round.reason ?? undefined}
    >
      {round.reason === "round/superseded" ? "superseded" : round.phase}
    </span>
  );
}
