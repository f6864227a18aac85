import type { Digest } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import type { EvaluationGraphDocument } from "@tributary/protocol";

/** Weights to measure on held-out data. */
export interface EvaluationRequest {
  readonly graph: Digest;
  readonly dataset: Digest;
  readonly spec: EvaluationGraphDocument;
  /** Flat, in the order of `spec.parameters`. */
  readonly values: Float32Array;
}

/** Measures weights, in a thread of its own. */
export interface Evaluator {
  /** @throws `round/evaluation-failed`, `dataset/*` */
  evaluate(request: EvaluationRequest): Promise<EvaluationResult>;
  /** Idempotent. */
  close(): Promise<void>;
}

// Between the threads.

export type EvaluationJob =
  | { readonly type: "graph" | "dataset"; readonly digest: Digest; readonly bytes: Uint8Array<ArrayBuffer> }
  | ({ readonly type: "evaluate"; readonly id: number } & EvaluationRequest)
  | { readonly type: "close" };

export type EvaluationAnswer =
  | { readonly id: number; readonly result: EvaluationResult }
  | {
      readonly id: number;
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly detail: Record<string, string | number | boolean | null>;
      };
    };
