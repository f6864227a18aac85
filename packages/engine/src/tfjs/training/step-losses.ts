/** Losses and metrics of a step in TensorFlow.js operators, with the meaning that plans of ONNX graphs have. */
import * as tf from "@tensorflow/tfjs";
import type { TfjsLoss, TfjsMetric } from "@tributary/protocol";

/** What a loss reads of one batch. */
export interface LossInputs {
  /** [B, …] float32: the output, before the softmax or sigmoid that the loss takes in */
  readonly output: tf.Tensor;
  /** [B] int32 of classes; float32 of the output's shape else */
  readonly labels: tf.Tensor;
  /** [B] float32 */
  readonly weights: tf.Tensor1D;
}

/** Least divisor of the mean, for a batch of padding only. */
const LEAST_WEIGHT = 1e-12;

/** Each example's loss [B], and what it is divided by in the mean. */
interface Losses {
  readonly each: tf.Tensor;
  readonly divisors: tf.Tensor;
}

/** Sum of weight times loss, and the weighted mean that is minimised. */
export function lossOf(
  loss: TfjsLoss,
  inputs: LossInputs,
): { readonly sum: tf.Scalar; readonly mean: tf.Scalar } {
  const { each, divisors } =
    loss.kind === "softmax-cross-entropy" ? ofClasses(loss, inputs) : ofNumbers(loss, inputs);
  const sum = tf.sum(tf.mul(each, inputs.weights)) as tf.Scalar;
  return { sum, mean: tf.div(sum, tf.maximum(tf.sum(divisors), LEAST_WEIGHT)) };
}

/** Σ q·(log Σ exp z - z), where class weights make the mean's divisors the weights of the labels' classes. */
function ofClasses(
  { labelSmoothing = 0, classWeights }: TfjsLoss,
  { output, labels, weights }: LossInputs,
): Losses {
  const classes = output.shape[1]!;
  const ofLabel = oneHot(labels, classes);
  let target = ofLabel;
  if (labelSmoothing > 0) target = tf.add(tf.mul(target, 1 - labelSmoothing), labelSmoothing / classes);
  const factors = classWeights === undefined ? undefined : tf.tensor2d([...classWeights], [1, classes]);
  if (factors !== undefined) target = tf.mul(target, factors);
  const each = tf.neg(tf.sum(tf.mul(target, tf.logSoftmax(output)), 1));
  const divisors = factors === undefined ? weights : tf.mul(weights, tf.sum(tf.mul(ofLabel, factors), 1));
  return { each, divisors };
}

function ofNumbers(loss: TfjsLoss, { output, labels, weights }: LossInputs): Losses {
  const [z, y] = [rows(output), rows(labels)];
  return { each: tf.mean(elementLoss(loss, z, y), 1), divisors: weights };
}

function elementLoss({ kind, delta = 1 }: TfjsLoss, z: tf.Tensor, y: tf.Tensor): tf.Tensor {
  // log(1 + exp z) - z·y: its derivative is sigmoid(z) - y everywhere.
  if (kind === "sigmoid-cross-entropy") return tf.sub(tf.softplus(z), tf.mul(z, y));
  const error = tf.sub(z, y);
  if (kind === "mse") return tf.square(error);
  const size = tf.abs(error);
  if (kind === "mae") return size;
  // c = min(|e|, delta): c · (|e| - c / 2) is both branches in one.
  const capped = tf.minimum(size, delta);
  return tf.mul(capped, tf.sub(size, tf.mul(capped, 0.5)));
}

/** Sum of the weights of hits; undefined of losses that know none. */
export function hitsOf({ kind }: TfjsLoss, inputs: LossInputs): tf.Scalar | undefined {
  const { output, labels, weights } = inputs;
  switch (kind) {
    case "softmax-cross-entropy": {
      const hits = tf.cast(tf.equal(predicted(output), tf.cast(labels, "float32")), "float32");
      return tf.sum(tf.mul(hits, weights));
    }
    case "sigmoid-cross-entropy": {
      const agrees = tf.cast(tf.equal(saysYes(rows(output)), isYes(rows(labels))), "float32");
      return tf.sum(tf.mul(tf.mean(agrees, 1), weights));
    }
    case "mse":
    case "mae":
    case "huber":
      return undefined;
  }
}

export function metricOf({ kind, k = 1 }: TfjsMetric, loss: TfjsLoss, inputs: LossInputs): tf.Tensor {
  const { output, labels, weights } = inputs;
  const column = tf.reshape(weights, [-1, 1]);
  switch (kind) {
    case "loss":
      return lossOf(loss, inputs).sum;
    case "mae":
      return tf.sum(tf.mul(tf.mean(tf.abs(tf.sub(rows(output), rows(labels))), 1), weights));
    case "topK":
      return tf.sum(tf.mul(tf.cast(tf.less(ahead(output, labels), k), "float32"), weights));
    case "confusion": {
      if (loss.kind !== "softmax-cross-entropy") return binaryConfusion(inputs);
      const actual = tf.mul(oneHot(labels, output.shape[1]!), column);
      const columns = tf.range(0, output.shape[1]!);
      const said = tf.cast(tf.equal(tf.reshape(predicted(output), [-1, 1]), columns), "float32");
      return tf.matMul(actual as tf.Tensor2D, said as tf.Tensor2D, true, false);
    }
  }
}

/** [outputs, label, prediction] of yes-or-no outputs. */
function binaryConfusion({ output, labels, weights }: LossInputs): tf.Tensor {
  const [yes, said] = [isYes(rows(labels)), saysYes(rows(output))].map((value) => tf.cast(value, "float32"));
  const column = tf.reshape(weights, [-1, 1]);
  const cells = [tf.sub(1, yes!), yes!].flatMap((label) =>
    [tf.sub(1, said!), said!].map((prediction) => tf.sum(tf.mul(tf.mul(label, prediction), column), 0)),
  );
  return tf.reshape(tf.stack(cells, 1), [-1, 2, 2]);
}

/** Classes that come before the label's: of larger value, or equal and of lower number. */
function ahead(output: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const classes = output.shape[1]!;
  const ofLabel = tf.sum(tf.mul(oneHot(labels, classes), output), 1, true);
  const columns = tf.range(0, classes, 1, "int32");
  const lower = tf.less(columns, tf.reshape(labels, [-1, 1]));
  const before = tf.logicalOr(
    tf.logicalNot(tf.lessEqual(output, ofLabel)),
    tf.logicalAnd(tf.equal(output, ofLabel), lower),
  );
  return tf.sum(tf.cast(before, "float32"), 1);
}

/** The first of the largest values, [B]; a row of NaN predicts nothing. */
function predicted(output: tf.Tensor): tf.Tensor {
  const classes = output.shape[1]!;
  const atMaximum = tf.equal(output, tf.max(output, 1, true));
  return tf.min(tf.where(atMaximum, tf.range(0, classes), tf.fill([1], classes)), 1);
}

function oneHot(labels: tf.Tensor, classes: number): tf.Tensor {
  return tf.cast(tf.oneHot(labels as tf.Tensor1D, classes), "float32");
}

function saysYes(z: tf.Tensor): tf.Tensor {
  return tf.greater(z, 0);
}

function isYes(y: tf.Tensor): tf.Tensor {
  return tf.greater(y, 0.5);
}

/** One row an example, [B, n]. */
function rows(value: tf.Tensor): tf.Tensor {
  return tf.reshape(value, [value.shape[0]!, -1]);
}
