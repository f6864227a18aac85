import type { ExampleTable } from "@tributary/engine/examples";
import type { TrainResult } from "@tributary/engine/training";
import type {
  EvaluationGraphDocument,
  Offer,
  TrainingGraphDocument,
  UpdateLayout,
} from "@tributary/protocol";
import type { PairBounds } from "@tributary/metrics";
import type { UpdateBody } from "@tributary/runtime/internal-node";
import type { ParameterSchema } from "@tributary/tensor";
import type { ClientExamples } from "../data/client-data.ts";

/** A finished update: as it is uploaded, or to be masked. */
export type TrainedUpdate =
  | ({ readonly type: "body"; readonly numExamples: number } & UpdateBody)
  | ({ readonly type: "values" } & TrainResult);

// Between the simulation and its threads. What is large lies in shared memory.

/** The same for all tasks of a thread. */
export interface TrainingThreadData {
  readonly training: { readonly model: Uint8Array; readonly spec: TrainingGraphDocument };
  readonly evaluation: { readonly model: Uint8Array; readonly spec: EvaluationGraphDocument };
  /** What held-out devices run for a gate; null: there is none. */
  readonly measurement: { readonly model: Uint8Array; readonly spec: EvaluationGraphDocument } | null;
  readonly layout: UpdateLayout;
  readonly parameters: ParameterSchema;
  readonly table: ExampleTable | null;
  readonly heldOut: ExampleTable | null;
  /** What the server trains on itself; null: nothing. */
  readonly trusted: ExampleTable | null;
  /** Of what clients make themselves. */
  readonly dataSeed: string;
}

export interface TrainTask {
  readonly type: "train";
  /** Base weights, and the version they are of. */
  readonly values: Float32Array;
  readonly version: number;
  readonly examples: ClientExamples;
  readonly epochs: number;
  readonly learningRate: number;
  /** Added to the gradients of the weights; null: nothing. */
  readonly offsets: Float32Array | null;
  readonly maxExamples: number;
  /** Of the order of examples and of dropout masks. */
  readonly seed: string;
  /** What the update is to be uploaded for; null: it will be masked, or it is not known yet. */
  readonly report: Pick<Offer, "roundId" | "task"> | null;
}

/** Two versions on a client's examples. */
export interface MeasureTask {
  readonly type: "measure";
  readonly current: Float32Array;
  readonly candidate: Float32Array;
  readonly examples: ClientExamples;
  readonly maxExamples: number;
  readonly bounds: PairBounds;
  /** Of which examples. */
  readonly seed: string;
}

export interface MeasuredVector {
  /** Of `pairedMetrics`. */
  readonly vector: Float64Array<ArrayBuffer>;
  readonly numExamples: number;
}

export type ThreadTask =
  | TrainTask
  | MeasureTask
  /** The server's own update. */
  | ({ readonly type: "root-update" } & Pick<
      TrainTask,
      "values" | "version" | "epochs" | "learningRate" | "maxExamples" | "seed"
    >)
  /** Rows `from` to before `to` of the held-out examples. */
  | {
      readonly type: "evaluate";
      readonly values: Float32Array;
      readonly from: number;
      readonly to: number;
    };

/** What crosses threads of an error. */
export interface ThreadFailure {
  readonly code: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

export type ThreadAnswer<Value> = { readonly value: Value } | { readonly failure: ThreadFailure };
