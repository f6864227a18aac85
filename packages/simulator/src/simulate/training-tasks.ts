import type { ExampleTable } from "@tributary/engine/examples";
import type { EvaluationGraphDocument, TrainingGraphDocument, UpdateLayout } from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";
import type { ClientExamples } from "../data/client-data.ts";

// Between the simulation and its threads. What is large lies in shared memory.

/** The same for all tasks of a thread. */
export interface TrainingThreadData {
  readonly training: { readonly model: Uint8Array; readonly spec: TrainingGraphDocument };
  readonly evaluation: { readonly model: Uint8Array; readonly spec: EvaluationGraphDocument };
  readonly layout: UpdateLayout;
  readonly parameters: ParameterSchema;
  readonly table: ExampleTable | null;
  readonly heldOut: ExampleTable | null;
  /** Of what clients make themselves. */
  readonly dataSeed: string;
}

export type ThreadTask =
  | {
      readonly type: "train";
      /** Base weights. */
      readonly values: Float32Array;
      readonly examples: ClientExamples;
      readonly epochs: number;
      readonly learningRate: number;
      readonly maxExamples: number;
      /** Of the order of examples and of dropout masks. */
      readonly seed: string;
    }
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
