import type { GraphBuilder } from "../ir/graph-builder.ts";
import { invalid, type SoftmaxCrossEntropyOptions } from "./loss-options.ts";
import type { LossInputs, LossOutputs, LossValues } from "./loss-parts.ts";
import { sharesOf, sumAll } from "./loss-parts.ts";

/**
 * Softmax cross entropy per example, l = log(sum(exp(z))) - z[label], shifted by the row's maximum; with
 * label smoothing and class weights, l = sum(q * (log(sum(exp(z))) - z)) for the target q.
 * Made of operators that run on every engine: OneHot, LogSoftmax and ArgMax do not.
 */
export function appendSoftmaxCrossEntropy(
  builder: GraphBuilder,
  { logits, labels, sampleWeights }: LossInputs,
  outputs: LossOutputs,
  options: SoftmaxCrossEntropyOptions = { kind: "softmax-cross-entropy" },
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
  const target = appendTarget(builder, oneHot, options);
  const ofLabel = builder.reduceSum(builder.op("Mul", [shifted, target.values]), [1], false);
  const logTotal = builder.op("Log", [total]);
  const scaled = target.mass === undefined ? logTotal : builder.op("Mul", [logTotal, target.mass]);
  const losses = builder.op("Sub", [builder.reshape(scaled, [batch]), ofLabel]);
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
      const expected =
        target.mass === undefined ? probabilities : builder.op("Mul", [probabilities, target.mass]);
      const error = builder.op("Sub", [expected, target.values]);
      const divisors =
        target.ofLabel === undefined ? sampleWeights : builder.op("Mul", [sampleWeights, target.ofLabel]);
      return builder.op("Mul", [error, sharesOf(builder, sampleWeights, divisors)]);
    },
  };
}

interface Target {
  /** [B, C]; the label's row of the unit matrix where nothing is set. */
  readonly values: string;
  /** [B, 1], their sums; undefined: one. */
  readonly mass?: string;
  /** [B], the weight of each label's class; undefined: one. */
  readonly ofLabel?: string;
}

function appendTarget(builder: GraphBuilder, oneHot: string, options: SoftmaxCrossEntropyOptions): Target {
  const [batch, classes] = builder.shape(oneHot) as [number, number];
  const { labelSmoothing = 0, classWeights } = options;
  if (classWeights !== undefined && classWeights.length !== classes) {
    throw invalid(`loss: ${classWeights.length} classWeights for ${classes} classes`);
  }
  let values = oneHot;
  if (labelSmoothing > 0) {
    const kept = builder.op("Mul", [oneHot, builder.float(1 - labelSmoothing)]);
    values = builder.op("Add", [kept, builder.float(labelSmoothing / classes)]);
  }
  if (classWeights === undefined) return { values };
  const factors = builder.floats([1, classes], classWeights);
  values = builder.op("Mul", [values, factors]);
  const mass = builder.reduceSum(values, [1], true);
  const ofLabel =
    labelSmoothing > 0 ? builder.reduceSum(builder.op("Mul", [oneHot, factors]), [1], true) : mass;
  return { values, mass, ofLabel: builder.reshape(ofLabel, [batch]) };
}
