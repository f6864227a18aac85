import type { GraphBuilder } from "../ir/graph-builder.ts";

/** Names of what a loss on one output leaves in the graph. */
export interface LossValues {
  /** Scalar: sum of weight times loss. */
  readonly lossSum: string;
  /** Scalar: sum of the weights of correctly classified examples. */
  readonly correct: string;
  /** Gradient of the weighted mean loss with respect to the logits; a thunk, evaluation has no use for it. */
  readonly gradient: () => string;
}

/** What the loss reads. */
export interface LossInputs {
  /** [B, C] float32 of a classifier; [B, …] else */
  readonly logits: string;
  /** [B] int32, 0 to C-1, of a classifier; float32 of the logits' shape else */
  readonly labels: string;
  /** [B] float32, 0 for padding rows */
  readonly sampleWeights: string;
}

/** What the outputs are to be called. */
export interface LossOutputs {
  readonly lossSum: string;
  readonly correct: string;
}

/** Least divisor of the mean, for a batch of padding only. */
const LEAST_WEIGHT = 1e-12;

/** Each example's share of the mean, [B,1]: weight / sum(divisors). */
export function sharesOf(builder: GraphBuilder, weights: string, divisors: string = weights): string {
  const [batch] = builder.shape(weights) as [number];
  const total = builder.reduceSum(divisors, [0], true);
  const divisor = builder.op("Max", [total, builder.float(LEAST_WEIGHT)]);
  return builder.reshape(builder.op("Div", [weights, divisor]), [batch, 1]);
}

/** Sum of a [B] value as a named scalar. */
export function sumAll(builder: GraphBuilder, value: string, output: string): string {
  return builder.op("ReduceSum", [value, builder.int64s([0])], { keepdims: 0 }, output);
}

/** A value of any rank as one row per example, [B, n]. */
export function rowsOf(builder: GraphBuilder, value: string): string {
  const [batch, ...rest] = builder.shape(value) as [number, ...number[]];
  return builder.reshape(value, [batch, rest.reduce((product, size) => product * size, 1)]);
}

/** The mean of each row of a [B, n] value, [B]. */
export function rowMeans(builder: GraphBuilder, value: string): string {
  const size = builder.shape(value)[1]!;
  const sums = builder.reduceSum(value, [1], false);
  return size === 1 ? sums : builder.op("Mul", [sums, builder.float(1 / size)]);
}
