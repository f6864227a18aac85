import type { Digest, RoundId } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { roundCounts, type RoundConfig, type RoundState } from "@tributary/federation";
import { summarizeTraining } from "@tributary/metrics";
import type { IneligibleReason } from "@tributary/protocol";
import type { PreparedTask } from "./prepare-task.ts";
import type { TrustSummary } from "@tributary/federation/aggregation";

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
  /** Devices that were not one of those that the task asks, by the rule that they did not meet. */
  readonly ineligible: { readonly [Reason in IneligibleReason]?: number };
  readonly secure: boolean;
  readonly numExamples: number;
  /** Means over the examples of the last local epoch, each before the step it was part of. */
  readonly trainLoss: number | null;
  readonly trainAccuracy: number | null;
  /** On the held-out examples. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly metrics: Readonly<Record<string, readonly number[]>>;
  /** Waited for the task's schedule to open, before the round. */
  readonly scheduleSeconds: number;
  /** From the round's beginning to the first offer; null: nobody got one. */
  readonly selectionSeconds: number | null;
  /** How the updates compared with the server's own; null: they were not compared. */
  readonly trust: TrustSummary | null;
  /** From the round's beginning to its end, and from the simulation's beginning to there. */
  readonly seconds: number;
  readonly clockSeconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** SHA-256 of the weights after it, as safetensors. */
  readonly weightsDigest: Digest;
}

/** A round as it ended. Times in the simulation's own. */
export interface EndedRound {
  readonly config: RoundConfig;
  readonly state: RoundState;
  /** `trainingMetrics` of whose updates are in the sum. */
  readonly metrics: Float64Array<ArrayBuffer>;
  readonly declines: RoundRow["declines"];
  readonly ineligible: RoundRow["ineligible"];
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Null: nobody got an offer. */
  readonly offeredMs: number | null;
}

export interface RoundTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** How long the schedule was closed before it. */
  readonly scheduleMs: number;
}

export function roundRow(
  { rules }: PreparedTask,
  ended: EndedRound,
  { startMs, endMs, scheduleMs }: RoundTimes,
  model: {
    readonly evaluation: EvaluationResult | undefined;
    readonly trust: TrustSummary | undefined;
    readonly weightsDigest: Digest;
  },
): RoundRow {
  const { config, state, metrics, declines, ineligible, bytesUp, bytesDown, offeredMs } = ended;
  const committed = state.phase === "committed";
  const { loss, accuracy, examples } = summarizeTraining(metrics);
  const { evaluation, trust, weightsDigest } = model;
  return {
    round: config.round,
    roundId: config.roundId,
    phase: committed ? "committed" : "abandoned",
    reason: state.phase === "abandoned" ? state.code : null,
    version: committed ? state.version : null,
    ...roundCounts(state),
    declines,
    ineligible,
    secure: rules.secure !== null,
    numExamples: examples,
    trainLoss: loss,
    trainAccuracy: rules.plan.training.spec.noHits === true ? null : accuracy,
    loss: evaluation?.loss ?? null,
    accuracy: evaluation?.accuracy ?? null,
    metrics: evaluation?.metrics ?? {},
    trust: trust ?? null,
    scheduleSeconds: scheduleMs / 1000,
    selectionSeconds: offeredMs === null ? null : (offeredMs - startMs) / 1000,
    seconds: (endMs - startMs) / 1000,
    clockSeconds: endMs / 1000,
    bytesUp,
    bytesDown,
    weightsDigest,
  };
}
