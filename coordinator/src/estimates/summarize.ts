import type { EstimateRequest, EstimateResult, TaskSpec } from "@tributary/protocol";

/** What is read of a simulated round. */
export interface EstimatedRound {
  readonly purpose: "train" | "gate";
  readonly phase: "committed" | "abandoned";
  readonly offered: number;
  readonly cohort: number;
  readonly dropouts: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly seconds: number;
  readonly clockSeconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export interface Simulated {
  readonly rounds: readonly EstimatedRound[];
  readonly data: EstimateResult["data"];
  /** Devices draw rows of a data set that has fewer than they need. */
  readonly drawnAgain: boolean;
  /** Of the thread that played both halves of the protocol. */
  readonly cpuSeconds: number;
}

/** Points of the curve at most. */
const CURVE_POINTS = 120;
/** Of fewer rounds the spread says little. */
const FEW_ROUNDS = 5;

/** What simulated rounds say of the real ones. */
export function summarized(
  { rounds, data, drawnAgain, cpuSeconds }: Simulated,
  { goal, fleet }: Pick<EstimateRequest, "goal" | "fleet">,
  spec: TaskSpec,
): EstimateResult {
  const trained = rounds.filter(({ purpose }) => purpose === "train");
  const committed = trained.filter(({ phase }) => phase === "committed");
  const last = committed.at(-1);
  const knows = data === "evaluation";
  const wanted = knows ? goal.accuracy : null;
  const at = wanted === null ? -1 : committed.findIndex(({ accuracy }) => (accuracy ?? -1) >= wanted);
  const clockSeconds = rounds.at(-1)?.clockSeconds ?? 0;
  const seconds = committed.map((round) => round.seconds);
  const offered = total(trained, (round) => round.offered);
  return {
    data,
    rounds: committed.length,
    abandoned: trained.length - committed.length,
    roundsToAccuracy: at < 0 ? null : at + 1,
    secondsToAccuracy: at < 0 ? null : committed[at]!.clockSeconds,
    accuracy: knows ? (last?.accuracy ?? null) : null,
    loss: knows ? (last?.loss ?? null) : null,
    roundSeconds: {
      low: quantile(seconds, 0.1),
      median: quantile(seconds, 0.5),
      high: quantile(seconds, 0.9),
    },
    roundsPerHour: clockSeconds > 0 ? (committed.length / clockSeconds) * 3600 : 0,
    perDevice: {
      bytesUp: over(
        total(trained, (round) => round.bytesUp),
        offered,
      ),
      bytesDown: over(
        total(trained, (round) => round.bytesDown),
        offered,
      ),
      seconds: (localSteps(spec, fleet.examplesPerDevice) * fleet.stepMs) / 1000,
    },
    perRound: {
      bytesUp: over(
        total(trained, (round) => round.bytesUp),
        trained.length,
      ),
      bytesDown: over(
        total(trained, (round) => round.bytesDown),
        trained.length,
      ),
      cohort: over(
        total(committed, (round) => round.cohort),
        committed.length,
      ),
      dropouts: over(
        total(trained, (round) => round.dropouts),
        trained.length,
      ),
    },
    coordinatorCpuSeconds: over(cpuSeconds, rounds.length),
    caveats: [
      knows ? "device-data" : "random-data",
      ...(drawnAgain ? (["rows-drawn-again"] as const) : []),
      "device-speed",
      "availability",
      ...(committed.length < FEW_ROUNDS ? (["few-rounds"] as const) : []),
      "coordinator-share",
    ],
    curve: thinned(committed, CURVE_POINTS).map(({ round, of }) => ({
      round,
      seconds: of.clockSeconds,
      accuracy: knows ? of.accuracy : null,
      loss: knows ? of.loss : null,
    })),
  };
}

/** Gradient steps of a device in a round. */
export function localSteps({ local }: Pick<TaskSpec, "local">, examplesPerDevice: number): number {
  const examples = Math.min(examplesPerDevice, local.maxExamples);
  return local.epochs * Math.ceil(examples / local.batchSize);
}

function total(rounds: readonly EstimatedRound[], of: (round: EstimatedRound) => number): number {
  return rounds.reduce((sum, round) => sum + of(round), 0);
}

const over = (value: number, count: number): number => (count === 0 ? 0 : value / count);

/** Of few values the nearest one; 0 of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0;
}

function thinned(
  rounds: readonly EstimatedRound[],
  most: number,
): readonly { readonly round: number; readonly of: EstimatedRound }[] {
  const all = rounds.map((of, i) => ({ round: i + 1, of }));
  if (all.length <= most) return all;
  const step = (all.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => all[Math.round(i * step)]!);
}
