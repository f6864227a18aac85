import type { Digest, RoundId } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { roundCounts, type RoundConfig, type RoundState } from "@tributary/federation";
import { summarizeTraining } from "@tributary/metrics";
import type { PreparedTask } from "./prepare-task.ts";

/** What a simulated round came to. Times are the simulation's, not this machine's. */
export interface RoundRow {
  readonly round: number;
  readonly roundId: RoundId;
  readonly phase: "committed" | "abandoned";
  /** Why it was abandoned. */
  readonly reason: string | null;
  /** Of the model, once committed. */
  readonly version: number | null;
  /** Devices that ever got an offer, were ready in time, were asked to report, are in the sum. */
  readonly offered: number;
  readonly ready: number;
  readonly cohort: number;
  readonly reported: number;
  readonly dropouts: number;
  readonly refused: number;
  /** Devices that gave up by themselves, by the code of why. */
  readonly declines: Readonly<Record<string, number>>;
  readonly secure: boolean;
  readonly numExamples: number;
  /** Means over the examples of the last local epoch, each before the step it was part of. */
  readonly trainLoss: number | null;
  readonly trainAccuracy: number | null;
  /** On the held-out examples. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly metrics: Readonly<Record<string, readonly number[]>>;
  /** From the round's beginning to its end, and from the simulation's beginning to there. */
  readonly seconds: number;
  readonly clockSeconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** SHA-256 of the weights after it, as safetensors. */
  readonly weightsDigest: Digest;
}

/** A round as it ended. */
export interface EndedRound {
  readonly config: RoundConfig;
  readonly state: RoundState;
  /** `trainingMetrics` of whose updates are in the sum. */
  readonly metrics: Float64Array<ArrayBuffer>;
  readonly declines: Readonly<Record<string, number>>;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** In the simulation's own time. */
  readonly startMs: number;
  readonly endMs: number;
}

export function roundRow(
  { rules }: PreparedTask,
  { config, state, metrics, declines, bytesUp, bytesDown, startMs, endMs }: EndedRound,
  model: { readonly evaluation: EvaluationResult | undefined; readonly weightsDigest: Digest },
): RoundRow {
  const committed = state.phase === "committed";
  const { loss, accuracy, examples } = summarizeTraining(metrics);
  const { evaluation, weightsDigest } = model;
  return {
    round: config.round,
    roundId: config.roundId,
    phase: committed ? "committed" : "abandoned",
    reason: state.phase === "abandoned" ? state.code : null,
    version: committed ? state.version : null,
    ...roundCounts(state),
    declines,
    secure: rules.secure !== null,
    numExamples: examples,
    trainLoss: loss,
    trainAccuracy: rules.plan.training.spec.noHits === true ? null : accuracy,
    loss: evaluation?.loss ?? null,
    accuracy: evaluation?.accuracy ?? null,
    metrics: evaluation?.metrics ?? {},
    seconds: (endMs - startMs) / 1000,
    clockSeconds: endMs / 1000,
    bytesUp,
    bytesDown,
    weightsDigest,
  };
}
