import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { LossOptions } from "./loss-options.ts";
import type { LossInputs, LossOutputs, LossValues } from "./loss-parts.ts";
import { appendRegressionLoss } from "./loss-regression.ts";
import { appendSigmoidCrossEntropy } from "./loss-sigmoid.ts";
import { appendSoftmaxCrossEntropy } from "./loss-softmax.ts";

/** Appends a loss on the value before the model's own softmax or sigmoid. Errors: RangeError on its settings. */
export function appendLoss(
  builder: GraphBuilder,
  loss: LossOptions,
  inputs: LossInputs,
  outputs: LossOutputs,
): LossValues {
  switch (loss.kind) {
    case "softmax-cross-entropy":
      return appendSoftmaxCrossEntropy(builder, inputs, outputs, loss);
    case "sigmoid-cross-entropy":
      return appendSigmoidCrossEntropy(builder, inputs, outputs);
    default:
      return appendRegressionLoss(builder, loss, inputs, outputs);
  }
}
