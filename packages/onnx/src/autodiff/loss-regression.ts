import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { LossOptions } from "./loss-options.ts";
import type { LossInputs, LossOutputs, LossValues } from "./loss-parts.ts";
import { rowMeans, rowsOf, sharesOf, sumAll } from "./loss-parts.ts";

type RegressionLoss = Extract<LossOptions, { readonly kind: "mse" | "mae" | "huber" }>;

/** A loss of the error e, output by output; an example's loss is the mean over its outputs. Nothing counts as correct. */
export function appendRegressionLoss(
  builder: GraphBuilder,
  loss: RegressionLoss,
  inputs: LossInputs,
  outputs: LossOutputs,
): LossValues {
  const { sampleWeights } = inputs;
  const shape = builder.shape(inputs.logits);
  const error = rowsOf(builder, builder.op("Sub", [inputs.logits, inputs.labels]));
  const size = builder.shape(error)[1]!;
  const losses = rowMeans(builder, lossOf(builder, loss, error));
  const lossSum = sumAll(builder, builder.op("Mul", [losses, sampleWeights]), outputs.lossSum);
  const nothing = builder.op("Mul", [sampleWeights, builder.float(0)]);
  const correct = sumAll(builder, nothing, outputs.correct);
  return {
    lossSum,
    correct,
    gradient() {
      const factor = (loss.kind === "mse" ? 2 : 1) / size;
      const shares = sharesOf(builder, sampleWeights);
      const each = factor === 1 ? shares : builder.op("Mul", [shares, builder.float(factor)]);
      return builder.reshape(builder.op("Mul", [slopeOf(builder, loss, error), each]), shape);
    },
  };
}

function lossOf(builder: GraphBuilder, loss: RegressionLoss, error: string): string {
  if (loss.kind === "mse") return builder.op("Mul", [error, error]);
  const size = builder.op("Abs", [error]);
  if (loss.kind === "mae") return size;
  // c = min(|e|, delta): c * (|e| - c / 2) is both branches in one.
  const capped = builder.op("Min", [size, builder.float(loss.delta ?? 1)]);
  const half = builder.op("Mul", [capped, builder.float(0.5)]);
  return builder.op("Mul", [capped, builder.op("Sub", [size, half])]);
}

/** Derivative by the error; of the squared error, half of it. */
function slopeOf(builder: GraphBuilder, loss: RegressionLoss, error: string): string {
  if (loss.kind === "mse") return error;
  if (loss.kind === "huber") {
    const delta = loss.delta ?? 1;
    return builder.op("Max", [builder.op("Min", [error, builder.float(delta)]), builder.float(-delta)]);
  }
  // Sign has no WebGPU kernel.
  const zero = builder.float(0);
  const sides = ["Greater", "Less"].map((op) =>
    builder.op("Cast", [builder.op(op, [error, zero])], { to: 1 }),
  );
  return builder.op("Sub", sides);
}
