import type { Digest, RoundId } from "@tributary/core";
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
  readonly secure: boolean;
  readonly numExamples: number;
  /** Means over the examples of the last local epoch, each before the step it was part of. */
  readonly trainLoss: number | null;
  readonly trainAccuracy: number | null;
  /** On the held-out examples. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly metrics: Readonly<Record<string, readonly number[]>>;
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
