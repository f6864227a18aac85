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

/** The learning curves of the committed rounds; of cohorts that made a version together, the last stands for all. */
export function learningCurves(rounds: readonly RoundView[]): Curves {
  const committed = rounds
    // A gate measures what the round before it made.
    .filter((round) => round.phase === "committed" && round.purpose !== "gate")
    .toSorted((a, b) => a.number - b.number);
  const last = new Map(committed.map(({ version, number }) => [version, number]));
  const shown = committed.filter(({ version, number }) => version === null || last.get(version) === number);
  return {
    x: shown.map((round) => round.number),
    accuracy: shown.map((round) => round.accuracy),
    trainAccuracy: shown.map((round) => round.trainAccuracy),
    loss: shown.map((round) => round.loss),
    trainLoss: shown.map((round) => round.trainLoss),
  };
}
