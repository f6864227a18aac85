import { failure } from "@tributary/core";

/** Losses by name; with settings, {@link LossOptions}. */
export type LossName = Exclude<LossOptions["kind"], "graph">;

/**
 * A loss and its settings. What is minimised is the mean over examples, weighted by the sample weights. Conventions,
 * such as what class weights divide by, are PyTorch's.
 */
export type LossOptions =
  | SoftmaxCrossEntropyOptions
  /** One yes or no per output, labels float32 from 0 to 1 of the output's shape; the mean over an example's outputs. */
  | { readonly kind: "sigmoid-cross-entropy" }
  /** Squared error, labels float32 of the output's shape; the mean over an example's outputs. */
  | { readonly kind: "mse" }
  /** Absolute error, likewise. */
  | { readonly kind: "mae" }
  /** Half the squared error up to `delta`, from there on linear. `delta` > 0, @defaultValue 1 */
  | { readonly kind: "huber"; readonly delta?: number }
  | GraphLossOptions;

/** One class per example, labels int32 [B]. */
export interface SoftmaxCrossEntropyOptions {
  readonly kind: "softmax-cross-entropy";
  /** Share of the label that is spread over all classes, from 0 to below 1. @defaultValue 0 */
  readonly labelSmoothing?: number;
  /** A factor per class, at least 0; the mean divides by the sum of the factors of the labels. */
  readonly classWeights?: readonly number[];
}

/**
 * A loss of one's own. Inputs called as outputs or inputs of the model read those, as they are; `sampleWeights` reads
 * the weights [B]; every other input is a label, of a shape that is static but for the batch. The one output is the loss
 * of each example, [B] or [B,1], or their weighted mean, [], which has to read `sampleWeights`: they are 0 for padding.
 */
export interface GraphLossOptions {
  readonly kind: "graph";
  /** An ONNX model; its initializers stay constants. */
  readonly graph: Uint8Array;
}

/** The loss on one output, of several. */
export interface OutputLoss {
  /** Name of the model's output; a graph's own inputs say what it reads. @defaultValue the first that the loss fits */
  readonly output?: string;
  readonly loss: LossName | LossOptions;
  /** Factor of this loss in the sum, above 0. @defaultValue 1 */
  readonly weight?: number;
}

/** What is minimised: one loss, or the weighted sum of the losses of several outputs. */
export type Loss = LossName | LossOptions | readonly OutputLoss[];

/** One summand of what is minimised, checked. */
export interface LossTerm {
  readonly output: string | undefined;
  readonly loss: LossOptions;
  readonly weight: number;
}

/** Every built-in loss. */
export const LOSS_NAMES: readonly LossName[] = [
  "softmax-cross-entropy",
  "sigmoid-cross-entropy",
  "mse",
  "mae",
  "huber",
];

/** Checks the settings and fills in what is left out. Errors: `onnx/invalid-option`. */
export function lossTerms(loss: Loss): readonly LossTerm[] {
  if (typeof loss === "string" || "kind" in loss) {
    return [{ output: undefined, loss: lossOptions(loss), weight: 1 }];
  }
  if (loss.length === 0) throw invalid("losses: at least one is needed, got none");
  return loss.map(({ output, loss: own, weight = 1 }) => {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw invalid(
        `losses: the weight of ${output ?? "a loss"} must be a finite number above 0, got ${weight}`,
      );
    }
    return { output, loss: lossOptions(own), weight };
  });
}

function lossOptions(loss: LossName | LossOptions): LossOptions {
  const options: LossOptions = typeof loss === "string" ? { kind: loss } : loss;
  if (options.kind !== "graph" && !LOSS_NAMES.includes(options.kind)) {
    const allowed = [...LOSS_NAMES, "graph"].join(", ");
    throw invalid(`loss: "${String((options as LossOptions).kind)}" is none; use one of ${allowed}`);
  }
  if (options.kind === "graph" && !(options.graph instanceof Uint8Array)) {
    throw invalid("loss graph: `graph` must hold the bytes of an ONNX model");
  }
  if (options.kind === "huber" && !((options.delta ?? 1) > 0 && Number.isFinite(options.delta ?? 1))) {
    throw invalid(`loss huber: delta must be a finite number above 0, got ${options.delta}`);
  }
  if (options.kind !== "softmax-cross-entropy") return options;
  const { labelSmoothing = 0, classWeights = [] } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw invalid(`loss: labelSmoothing must be from 0 to below 1, got ${labelSmoothing}`);
  }
  const odd = classWeights.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (odd !== undefined) throw invalid(`loss: classWeights must be finite and at least 0, got ${odd}`);
  return options;
}

/** A setting that cannot be. */
export function invalid(message: string): Error {
  return failure("onnx/invalid-option", `onnx: ${message}`);
}

/** Where the loss goes: what a model's own head is, so that both are computed as one, stably. */
export type LossHead = "softmax" | "sigmoid" | "none";

export function headOf(loss: LossOptions): LossHead {
  if (loss.kind === "softmax-cross-entropy") return "softmax";
  return loss.kind === "sigmoid-cross-entropy" ? "sigmoid" : "none";
}
