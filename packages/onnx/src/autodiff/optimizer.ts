import type { GraphBuilder } from "../ir/graph-builder.ts";

export type OptimizerName = "sgd";

/** Plain gradient descent: w - learningRate * gradient, under the given output name. */
export function appendSgd(
  builder: GraphBuilder,
  weight: string,
  gradient: string | undefined,
  learningRate: string,
  output: string,
): void {
  if (gradient === undefined) {
    // A parameter the loss does not depend on stays as it is.
    builder.op("Identity", [weight], {}, output);
    return;
  }
  const step = builder.op("Mul", [gradient, learningRate]);
  builder.op("Sub", [weight, step], {}, output);
}
