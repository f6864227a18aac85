import { intAttribute } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";

export type OptimizerName = "sgd";

/**
 * Plain gradient descent, w - step, under the given output name; `step` is the gradient of the loss
 * already multiplied by the learning rate (at the logits, where it costs next to nothing). Where the step
 * is a matrix product, the subtraction becomes part of it, which saves two passes over the weights.
 */
export function appendSgd(
  builder: GraphBuilder,
  weight: string,
  step: string | undefined,
  output: string,
): void {
  if (step === undefined) {
    // A parameter the loss does not depend on stays as it is.
    builder.op("Identity", [weight], {}, output);
    return;
  }
  const product = builder.maker(step);
  if (product?.opType === "Gemm" && product.inputs.length === 2 && !product.attributes.has("alpha")) {
    // The product itself is then read by nobody and falls to dead-code elimination.
    builder.op(
      "Gemm",
      [...product.inputs, weight],
      {
        transA: intAttribute(product, "transA", 0),
        transB: intAttribute(product, "transB", 0),
        alpha: { float: -1 },
      },
      output,
    );
    return;
  }
  builder.op("Sub", [weight, step], {}, output);
}
