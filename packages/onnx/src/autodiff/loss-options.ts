/** Losses by name; with settings, {@link LossOptions}. */
export type LossName = LossOptions["kind"];

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
  | { readonly kind: "huber"; readonly delta?: number };

/** One class per example, labels int32 [B]. */
export interface SoftmaxCrossEntropyOptions {
  readonly kind: "softmax-cross-entropy";
  /** Share of the label that is spread over all classes, from 0 to below 1. @defaultValue 0 */
  readonly labelSmoothing?: number;
  /** A factor per class, at least 0; the mean divides by the sum of the factors of the labels. */
  readonly classWeights?: readonly number[];
}

/** Checks the settings. Errors: RangeError. */
export function lossOptions(loss: LossName | LossOptions): LossOptions {
  const options: LossOptions = typeof loss === "string" ? { kind: loss } : loss;
  if (options.kind === "huber" && !((options.delta ?? 1) > 0 && Number.isFinite(options.delta ?? 1))) {
    throw new RangeError(`huber: delta must be above 0, got ${options.delta}`);
  }
  if (options.kind !== "softmax-cross-entropy") return options;
  const { labelSmoothing = 0, classWeights = [] } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new RangeError(`labelSmoothing must be from 0 to below 1, got ${labelSmoothing}`);
  }
  const odd = classWeights.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (odd !== undefined) throw new RangeError(`classWeights must be finite and at least 0, got ${odd}`);
  return options;
}

/** Where the loss goes: what a model's own head is, so that both are computed as one, stably. */
export type LossHead = "softmax" | "sigmoid" | "none";

export function headOf(loss: LossOptions): LossHead {
  if (loss.kind === "softmax-cross-entropy") return "softmax";
  return loss.kind === "sigmoid-cross-entropy" ? "sigmoid" : "none";
}
