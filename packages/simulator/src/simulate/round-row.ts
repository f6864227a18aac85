import type { Digest, ModelVersion, RoundId } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { roundCounts, type RoundConfig, type RoundState } from "@tributary/federation";
import { summarizeTraining } from "@tributary/metrics";
import type { IneligibleReason, VerdictView } from "@tributary/protocol";
import type { PreparedTask } from "./prepare-task.ts";
import type { RoundWork } from "./round-work.ts";
import type { TrustSummary } from "@tributary/federation/aggregation";

/** What a simulated round came to. Times are the simulation's, not this machine's. */
export interface RoundRow {
  readonly round: number;
  /** gate: held-out devices measured a version; it made none. */
  readonly purpose: "train" | "gate";
  /** What devices trained from, or what a gate compared with. */
  readonly baseVersion: number;
  /** What a gate measured. */
  readonly candidate: number | null;
  readonly roundId: RoundId;
  readonly phase: "committed" | "abandoned";
  /** Why it was abandoned. */
  readonly reason: string | null;
  /** Of the model, once committed. */
  readonly version: number | null;
  /** In buffered mode: how many versions its base lay behind the one that its sum was added to, and what it then counted. */
  readonly staleness: number | null;
  readonly discount: number | null;
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
  /** What a gate's round found. */
  readonly verdict: VerdictView | null;
  /** The version that inference devices run then. */
  readonly released: number;
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
  /** SHA-256 of the newest weights after it, as safetensors. */
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
  readonly work: RoundWork;
  readonly startMs: number;
  /** Null: nobody got an offer. */
  readonly offeredMs: number | null;
}

/** What a round made, and what was about it. */
export interface RowFacts {
  /** In the simulation's own time. */
  readonly endMs: number;
  /** How long the schedule was closed before it. */
  readonly scheduleMs: number;
  readonly released: number;
  /** Of the newest version. */
  readonly weightsDigest: Digest;
  readonly evaluation?: EvaluationResult | undefined;
  readonly trust?: TrustSummary | undefined;
  readonly verdict?: VerdictView | undefined;
  /** In buffered mode: which version its sum is part of, or why of none. */
  readonly version?: ModelVersion;
  readonly reason?: string;
  readonly staleness?: number;
  readonly discount?: number;
}

export function roundRow({ rules, gate }: PreparedTask, ended: EndedRound, facts: RowFacts): RoundRow {
  const { config, state, metrics, work, declines, ineligible, bytesUp, bytesDown } = ended;
  const { startMs, offeredMs } = ended;
  const { evaluation, trust, verdict, endMs, scheduleMs, released, weightsDigest } = facts;
  const version = facts.version ?? (state.phase === "committed" ? state.version : null);
  const measures = work.type === "measure";
  const committed = version !== null || (measures && state.phase === "committed");
  const { loss, accuracy, examples } = summarizeTraining(metrics);
  return {
    round: config.round,
    purpose: measures ? "gate" : "train",
    baseVersion: config.baseVersion,
    candidate: config.measurement?.candidate?.version ?? null,
    roundId: config.roundId,
    phase: committed ? "committed" : "abandoned",
    reason: facts.reason ?? (state.phase === "abandoned" ? state.code : null),
    version,
    staleness: facts.staleness ?? null,
    discount: facts.discount ?? null,
    ...roundCounts(state),
    declines,
    ineligible,
    secure: (measures ? gate?.secure : rules.secure) !== null,
    numExamples: verdict?.examples ?? examples,
    trainLoss: loss,
    trainAccuracy: rules.plan.training.spec.noHits === true ? null : accuracy,
    verdict: verdict ?? null,
    released,
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
