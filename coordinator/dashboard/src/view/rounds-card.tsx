import type { RoundView } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { formatBytes, formatCount, formatLoss, formatShare, NONE } from "../format/numbers.ts";
import { formatClock, formatFull, formatSeconds } from "../format/time.ts";
import { isRunning } from "../model/round-progress.ts";
import { secureWord } from "../model/secure-line.ts";
import { CardSkeleton } from "../ui/skeleton.tsx";

const FIRST_ROWS = 14;

/** All rounds of the task, newest first. */
export function RoundsCard({ rounds }: { readonly rounds: readonly RoundView[] | undefined }): ReactNode {
  const [shown, setShown] = useState(FIRST_ROWS);
  return (
    <section className="card" aria-labelledby="rounds-title" data-testid="rounds">
      <h2 id="rounds-title">Rounds</h2>
      {rounds === undefined && <CardSkeleton />}
      {rounds?.length === 0 && <p className="quiet">None yet.</p>}
      {rounds !== undefined && rounds.length > 0 && (
        <>
          {/* The table may be wider than a phone: the region scrolls, in every browser by keyboard too. */}
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <section className="scroll" aria-label="Table of rounds" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Round</th>
                  <th scope="col">Version</th>
                  <th scope="col">Reported</th>
                  <th scope="col">Secure</th>
                  <th scope="col">Accuracy</th>
                  <th scope="col">Loss</th>
                  <th scope="col">Time</th>
                  <th scope="col">Up</th>
                  <th scope="col">Down</th>
                  <th scope="col">Ended</th>
                </tr>
              </thead>
              <tbody>
                {rounds.slice(0, shown).map((round) => (
                  <RoundRow key={round.id} round={round} />
                ))}
              </tbody>
            </table>
          </section>
          {rounds.length > shown && (
            <button type="button" className="more" onClick={() => setShown(shown + 50)}>
              Show {Math.min(50, rounds.length - shown)} more of {formatCount(rounds.length)}
            </button>
          )}
        </>
      )}
    </section>
  );
}

function RoundRow({ round }: { readonly round: RoundView }): ReactNode {
  const lost = round.dropouts + round.refused;
  return (
    <tr data-testid="round-row" data-round={round.number} data-phase={round.phase}>
      <th scope="row">{round.number}</th>
      <td>
        {round.version ??
          (round.purpose !== "train" && round.phase === "committed" ? (
            round.purpose
          ) : (
            <PhaseWord round={round} />
          ))}
      </td>
      <td>
        {round.reported}
        <span className="of"> / {round.cohort}</span>
        {lost > 0 && (
          <span className="lost" title={`${round.dropouts} dropouts, ${round.refused} refused`}>
            −{lost}
          </span>
        )}
      </td>
      <td data-testid="round-secure">{secureWord(round)}</td>
      <td>{formatShare(round.accuracy)}</td>
      <td>{formatLoss(round.loss)}</td>
      <td>{formatSeconds(round.seconds)}</td>
      <td>{formatBytes(round.bytesUp)}</td>
      <td>{formatBytes(round.bytesDown)}</td>
      <td>
        {round.endedAt === null ? (
          NONE
        ) : (
          <time dateTime={round.endedAt} title={formatFull(round.endedAt)}>
            {formatClock(round.endedAt)}
          </time>
        )}
      </td>
    </tr>
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
