import type { Digest, ModelVersion } from "@tributary/core";
import type { RoundMean } from "@tributary/federation/aggregation";
import type { PreparedGate } from "./prepare-gate.ts";

/** A version's weights, in memory that threads share. */
export interface SharedWeights {
  readonly version: ModelVersion;
  readonly values: Float32Array;
  /** Of the file, and its size. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** With SCAFFOLD, after the first round: the server's control variate, as devices get it. */
  readonly control?: Uint8Array<ArrayBuffer>;
}

/** What the devices of a round do, and what becomes of their sum. */
export type RoundWork = TrainingWork | MeasuringWork;

export interface TrainingWork {
  readonly type: "train";
  readonly base: SharedWeights;
  /** Trains what a strategy compares updates with. */
  readonly rootUpdate: () => Promise<Float32Array>;
  /** Turns the mean into the next version, measured; or puts it into a buffer. */
  readonly commit: (mean: RoundMean) => Promise<ModelVersion | "buffered">;
}

export interface MeasuringWork {
  readonly type: "measure";
  readonly gate: PreparedGate;
  readonly current: SharedWeights;
  readonly candidate: SharedWeights;
  readonly commit: (sums: Float64Array, devices: number) => void;
}
