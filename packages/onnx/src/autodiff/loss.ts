import type { GraphBuilder } from "../ir/graph-builder.ts";

export type LossName = "softmax-cross-entropy";

/** Names of what a loss leaves in the graph. */
export interface LossValues {
  /** Scalar: sum of weight times loss. */
  readonly lossSum: string;
  /** Scalar: sum of the weights of correctly classified examples. */
  readonly correct: string;
  /** Gradient of the weighted mean loss with respect to the logits; a thunk, evaluation has no use for it. */
  gradient(): string;
}

/** What the loss reads. */
export interface LossInputs {
  /** [B, C] float32 */
  readonly logits: string;
  /** [B] int32, 0 to C-1 */
  readonly labels: string;
  /** [B] float32, 0 for padding rows */
  readonly sampleWeights: string;
}

/** Least divisor of the mean, for a batch of padding only. */
const LEAST_WEIGHT = 1e-12;

/**
 * Softmax cross entropy per example, l = log(sum(exp(z))) - z[label], shifted by the row's maximum.
 * Made of operators that run on every engine: OneHot, LogSoftmax and ArgMax do not.
 */
export function appendSoftmaxCrossEntropy(
  builder: GraphBuilder,
  { logits, labels, sampleWeights }: LossInputs,
  outputs: { readonly lossSum: string; readonly correct: string },
): LossValues {
  const [batch, classes] = builder.shape(logits) as [number, number];
  const columns = [...Array(classes).keys()];
  const axis = builder.int64s([1]);
  const maximum = builder.op("ReduceMax", [logits, axis], { keepdims: 1 });
  const shifted = builder.op("Sub", [logits, maximum]);
  const exponentials = builder.op("Exp", [shifted]);
  const total = builder.reduceSum(exponentials, [1], true);
  const labelColumn = builder.reshape(labels, [batch, 1]);
  const isLabel = builder.op("Equal", [labelColumn, builder.int32s([1, classes], columns)]);
  const oneHot = builder.op("Cast", [isLabel], { to: 1 });
  const ofLabel = builder.reduceSum(builder.op("Mul", [shifted, oneHot]), [1], false);
  const logTotal = builder.reshape(builder.op("Log", [total]), [batch]);
  const losses = builder.op("Sub", [logTotal, ofLabel]);
  const weighted = builder.op("Mul", [losses, sampleWeights]);
  const lossSum = sumAll(builder, weighted, outputs.lossSum);

  // The prediction is the first of the largest logits; a row of NaN predicts nothing.
  const atMaximum = builder.op("Equal", [logits, maximum]);
  const places = builder.op("Where", [
    atMaximum,
    builder.floats([1, classes], columns),
    builder.float(classes),
  ]);
  const predicted = builder.op("ReduceMin", [places, axis], { keepdims: 0 });
  const labelNumber = builder.op("Cast", [labels], { to: 1 });
  const hits = builder.op("Cast", [builder.op("Equal", [predicted, labelNumber])], { to: 1 });
  const correct = sumAll(builder, builder.op("Mul", [hits, sampleWeights]), outputs.correct);

  return {
    lossSum,
    correct,
    gradient() {
      const probabilities = builder.op("Div", [exponentials, total]);
      const error = builder.op("Sub", [probabilities, oneHot]);
      const weightTotal = builder.reduceSum(sampleWeights, [0], true);
      const divisor = builder.op("Max", [weightTotal, builder.float(LEAST_WEIGHT)]);
      const shares = builder.reshape(builder.op("Div", [sampleWeights, divisor]), [batch, 1]);
      return builder.op("Mul", [error, shares]);
    },
  };
}

function sumAll(builder: GraphBuilder, value: string, output: string): string {
  return builder.op("ReduceSum", [value, builder.int64s([0])], { keepdims: 0 }, output);
}
