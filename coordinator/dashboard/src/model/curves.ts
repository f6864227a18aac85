import type { RoundView } from "@tributary/api-client";

type Column = (number | null)[];

/** Columns for a chart: `x` is the round number, ascending; `null` where a figure is not known. */
export interface Curves {
  readonly x: number[];
  readonly accuracy: Column;
  readonly trainAccuracy: Column;
  readonly loss: Column;
  readonly trainLoss: Column;
}

/** The learning curves of the committed rounds. */
export function learningCurves(rounds: readonly RoundView[]): Curves {
  const committed = rounds
    // A gate measures what the round before it made.
    .filter((round) => round.phase === "committed" && round.purpose !== "gate")
    .toSorted((a, b) => a.number - b.number);
  return {
    x: committed.map((round) => round.number),
    accuracy: committed.map((round) => round.accuracy),
    trainAccuracy: committed.map((round) => round.trainAccuracy),
    loss: committed.map((round) => round.loss),
    trainLoss: committed.map((round) => round.trainLoss),
  };
}
