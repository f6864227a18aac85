import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { LossInputs, LossOutputs, LossValues } from "./loss-parts.ts";
import { rowMeans, rowsOf, sharesOf, sumAll } from "./loss-parts.ts";

/**
 * Cross entropy of independent yes-or-no outputs, l = max(z,0) - z*y + log(1 + exp(-|z|)), the mean over an
 * example's outputs. An output is a hit where z > 0 agrees with y > 1/2; an example counts with its share of hits.
 */
export function appendSigmoidCrossEntropy(
  builder: GraphBuilder,
  inputs: LossInputs,
  outputs: LossOutputs,
): LossValues {
  const { sampleWeights } = inputs;
  const shape = builder.shape(inputs.logits);
  const z = rowsOf(builder, inputs.logits);
  const y = rowsOf(builder, inputs.labels);
  const size = builder.shape(z)[1]!;
  const decay = builder.op("Exp", [builder.op("Neg", [builder.op("Abs", [z])])]);
  const tail = builder.op("Log", [builder.op("Add", [decay, builder.float(1)])]);
  const head = builder.op("Sub", [builder.op("Relu", [z]), builder.op("Mul", [z, y])]);
  const losses = rowMeans(builder, builder.op("Add", [head, tail]));
  const lossSum = sumAll(builder, builder.op("Mul", [losses, sampleWeights]), outputs.lossSum);
  // Told by comparisons that NaN fails.
  const yes = builder.op("Greater", [y, builder.float(0.5)]);
  const saysYes = builder.op("Greater", [z, builder.float(0)]);
  const saysNo = builder.op("LessOrEqual", [z, builder.float(0)]);
  const agrees = builder.op("Or", [
    builder.op("And", [yes, saysYes]),
    builder.op("And", [builder.op("Not", [yes]), saysNo]),
  ]);
  const hits = builder.op("Cast", [agrees], { to: 1 });
  const correct = sumAll(
    builder,
    builder.op("Mul", [rowMeans(builder, hits), sampleWeights]),
    outputs.correct,
  );
  return {
    lossSum,
    correct,
    gradient() {
      const error = builder.op("Sub", [builder.op("Sigmoid", [z]), y]);
      const shares = sharesOf(builder, sampleWeights);
      const each = size === 1 ? shares : builder.op("Mul", [shares, builder.float(1 / size)]);
      return builder.reshape(builder.op("Mul", [error, each]), shape);
    },
  };
}
