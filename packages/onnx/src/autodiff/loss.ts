import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { GraphLossOptions, LossOptions } from "./loss-options.ts";
import type { LossInputs, LossOutputs, LossValues } from "./loss-parts.ts";
import { appendRegressionLoss } from "./loss-regression.ts";
import { appendSigmoidCrossEntropy } from "./loss-sigmoid.ts";
import { appendSoftmaxCrossEntropy } from "./loss-softmax.ts";

/** A loss that reads one output and one label. */
export type BuiltInLoss = Exclude<LossOptions, GraphLossOptions>;

/**
 * Appends a loss on the value before the model's own softmax or sigmoid.
 * Errors: `onnx/invalid-option` where its settings do not go with the output.
 */
export function appendLoss(
  builder: GraphBuilder,
  loss: BuiltInLoss,
  inputs: LossInputs,
  outputs: LossOutputs,
): LossValues {
  switch (loss.kind) {
    case "softmax-cross-entropy":
      return appendSoftmaxCrossEntropy(builder, inputs, outputs, loss);
    case "sigmoid-cross-entropy":
      return appendSigmoidCrossEntropy(builder, inputs, outputs);
    case "mse":
    case "mae":
    case "huber":
      return appendRegressionLoss(builder, loss, inputs, outputs);
  }
}
