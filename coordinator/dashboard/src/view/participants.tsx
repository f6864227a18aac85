import type { RoundView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { formatCount } from "../format/numbers.ts";
import { participantGroups, type ParticipantState } from "../model/round-progress.ts";

const WORDS: Readonly<Record<ParticipantState, string>> = {
  reported: "reported",
  ready: "ready",
  waiting: "still to report",
  training: "training",
  dropout: "dropped out",
  refused: "refused",
};

/** Above this many devices, dots would be dust: a bar is drawn. */
const MAX_DOTS = 240;

interface Props {
  readonly round: RoundView;
  readonly goalCount: number;
}

/** The devices of the round, one dot each, by what they are at. */
export function Participants({ round, goalCount }: Props): ReactNode {
  const groups = participantGroups(round);
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  return (
    <div className="participants" data-testid="participants">
      {total <= MAX_DOTS ? (
        <div className="dots" aria-hidden="true">
          {groups.flatMap(({ state, count }) =>
            Array.from({ length: count }, (_, i) => (
              <i key={`${state}-${i}`} className="dot" data-state={state} />
            )),
          )}
          {total === 0 &&
            Array.from({ length: Math.min(goalCount, MAX_DOTS) }, (_, i) => <i key={i} className="dot" />)}
        </div>
      ) : (
        <svg className="bar" viewBox={`0 0 ${total} 1`} preserveAspectRatio="none" aria-hidden="true">
          {groups.map(({ state, count }, i) => (
            <rect
              key={state}
              data-state={state}
              x={groups.slice(0, i).reduce((sum, group) => sum + group.count, 0)}
              width={count}
              height="1"
            />
          ))}
        </svg>
      )}
      <ul className="legend" aria-label="Participants">
        {groups.map(({ state, count }) => (
          <li key={state}>
            <i className="dot" data-state={state} aria-hidden="true" />
            {formatCount(count)} {WORDS[state]}
          </li>
        ))}
        {total === 0 && <li>waiting for devices to check in</li>}
      </ul>
    </div>
  );
}
