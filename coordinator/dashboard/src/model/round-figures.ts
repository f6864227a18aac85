import type { RoundView, VersionView } from "@tributary/api-client";
import type { Curves } from "./curves.ts";

/** A step on the way of devices through rounds. */
export interface FunnelStep {
  readonly name: string;
  readonly count: number;
  /** Of the first step, from 0 to 1; null where there is none. */
  readonly share: number | null;
}

const FUNNEL = [
  ["Offered", (round: RoundView) => round.offered],
  ["Trained and ready", (round: RoundView) => round.ready],
  ["In the cohort", (round: RoundView) => round.cohort],
  ["Survived to the sum", (round: RoundView) => round.reported],
] as const;

/** How many devices got how far, over rounds that ended. */
export function funnel(rounds: readonly RoundView[]): readonly FunnelStep[] {
  const ended = rounds.filter(({ endedAt }) => endedAt !== null);
  const sum = (pick: (round: RoundView) => number): number =>
    ended.reduce((total, round) => total + pick(round), 0);
  const first = sum(FUNNEL[0][1]);
  return FUNNEL.map(([name, pick]) => {
    const count = sum(pick);
    return { name, count, share: first === 0 ? null : count / first };
  });
}

export interface PhaseSpan {
  readonly phase: RoundView["phase"];
  /** Null: it goes on. */
  readonly seconds: number | null;
  readonly startedAt: string;
  /** Devices lost in it. */
  readonly dropouts: number;
}

/** The phases a round came through, with how long each took and whom it lost; its last state is none of them. */
export function phaseSpans({ phases, endedAt, dropouts }: RoundView): readonly PhaseSpan[] {
  return phases.flatMap(({ phase, at, dropouts: before }, i) => {
    if (phase === "committed" || phase === "abandoned" || phase === "buffered") return [];
    const next = phases[i + 1];
    const end = next?.at ?? endedAt;
    return [
      {
        phase,
        startedAt: at,
        seconds: end === null ? null : Math.max(0, Date.parse(end) - Date.parse(at)) / 1000,
        dropouts: (next?.dropouts ?? dropouts) - before,
      },
    ];
  });
}

const PHASES = ["selecting", "training", "reporting", "aggregating"] as const;

/** How long each phase took in the mean, over rounds whose phases are known. */
export function meanPhaseSeconds(
  rounds: readonly RoundView[],
): readonly { readonly phase: RoundView["phase"]; readonly seconds: number }[] {
  const spans = rounds
    .filter(({ endedAt }) => endedAt !== null)
    .flatMap(phaseSpans)
    .filter((span): span is PhaseSpan & { seconds: number } => span.seconds !== null);
  return PHASES.flatMap((phase) => {
    const seconds = spans.filter((span) => span.phase === phase).map((span) => span.seconds);
    if (seconds.length === 0) return [];
    return [{ phase, seconds: seconds.reduce((sum, each) => sum + each, 0) / seconds.length }];
  });
}

type Column = (number | null)[];

/** What was sent and fetched, by round, ascending. */
export function traffic(rounds: readonly RoundView[]): {
  readonly x: number[];
  readonly up: Column;
  readonly down: Column;
} {
  const ended = rounds.filter(({ endedAt }) => endedAt !== null).toSorted((a, b) => a.number - b.number);
  return {
    x: ended.map(({ number }) => number),
    up: ended.map(({ bytesUp }) => bytesUp),
    down: ended.map(({ bytesDown }) => bytesDown),
  };
}

/** Where the accuracy that was measured may lie, by the intervals of the versions that rounds made. */
export function accuracyBand(
  { x }: Pick<Curves, "x">,
  rounds: readonly RoundView[],
  versions: readonly VersionView[],
): { readonly lower: Column; readonly upper: Column } {
  const made = new Map(rounds.map(({ number, version }) => [number, version]));
  const intervals = new Map(
    versions.map(({ version, lineage }) => [version, lineage?.intervals["accuracy"]]),
  );
  const of = (number: number) => intervals.get(made.get(number) ?? -1);
  return {
    lower: x.map((number) => of(number)?.lower ?? null),
    upper: x.map((number) => of(number)?.upper ?? null),
  };
}
