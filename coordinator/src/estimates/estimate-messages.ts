import type { ErrorCode } from "@tributary/core";
import type { EstimateRequest, EstimateResult, EstimateView, TaskSpec } from "@tributary/protocol";

/** What the thread that simulates is given. */
export interface EstimateJob {
  readonly spec: TaskSpec;
  /** ONNX file. */
  readonly model: Uint8Array;
  /** The task's data set for evaluation; null: there is none. */
  readonly dataset: Uint8Array | null;
  /** What the server trains on itself, where the strategy compares with that. */
  readonly trusted: Uint8Array | null;
  readonly request: Pick<EstimateRequest, "fleet" | "goal" | "budgetSeconds">;
}

/** What it tells. */
export type EstimateNews =
  | { readonly type: "progress"; readonly progress: Omit<EstimateView["progress"], "share"> }
  | { readonly type: "done"; readonly result: EstimateResult }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string };
