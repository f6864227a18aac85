import type { Digest } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import type { RootUpdateRequest } from "@tributary/engine/training";
import type { ActivationRange } from "@tributary/onnx";
import type { EvaluationGraphDocument, GraphPort } from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";

/** Weights to measure on held-out data. */
export interface EvaluationRequest {
  readonly graph: Digest;
  readonly dataset: Digest;
  readonly spec: EvaluationGraphDocument;
  /** Flat, in the order of `spec.parameters`. */
  readonly values: Float32Array;
}

/** What to train on trusted data, and from where. */
export interface RootUpdateJob extends Pick<
  RootUpdateRequest,
  "spec" | "layout" | "inputs" | "epochs" | "learningRate" | "maxExamples" | "seed"
> {
  readonly graph: Digest;
  readonly dataset: Digest;
  /** Base weights, of these parameters. */
  readonly parameters: ParameterSchema;
  readonly values: Float32Array;
}

/** A whole model, and what to run it on. */
export interface RangesRequest {
  readonly model: Uint8Array;
  readonly dataset: Digest;
  readonly inputs: readonly GraphPort[];
}

/** Measures weights and trains from them, in a thread of its own. */
export interface Evaluator {
  /** @throws `round/evaluation-failed`, `dataset/*` */
  evaluate(request: EvaluationRequest): Promise<EvaluationResult>;
  /**
   * Trains the server's own update.
   *
   * @returns its values, as the layout orders them
   * @throws `round/evaluation-failed`, `federation/training-diverged`, `dataset/*`, `engine/*`
   */
  rootUpdate(job: RootUpdateJob): Promise<Float32Array>;
  /**
   * The least and largest values of the activations that "int8-static" holds as integers, over some hundred examples.
   *
   * @throws `round/evaluation-failed`, `dataset/*`, `engine/*`, `onnx/*`
   */
  activationRanges(request: RangesRequest): Promise<ReadonlyMap<string, ActivationRange>>;
  /** Idempotent. */
  close(): Promise<void>;
}

// Between the threads.

export type EvaluationOutcome = EvaluationResult | Float32Array | ReadonlyMap<string, ActivationRange>;

export type EvaluationJob =
  | { readonly type: "graph" | "dataset"; readonly digest: Digest; readonly bytes: Uint8Array<ArrayBuffer> }
  | ({ readonly type: "evaluate"; readonly id: number } & EvaluationRequest)
  | ({ readonly type: "root-update"; readonly id: number } & RootUpdateJob)
  | ({ readonly type: "ranges"; readonly id: number } & RangesRequest)
  | { readonly type: "close" };

/** When the thread began with a job, and when it was done, by `monotonicMs`. */
export interface EvaluationTimes {
  readonly beganAt: number;
  readonly endedAt: number;
}

export type EvaluationAnswer =
  | { readonly id: number; readonly result: EvaluationOutcome; readonly times: EvaluationTimes }
  | {
      readonly id: number;
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly detail: Record<string, string | number | boolean | null>;
      };
    };
