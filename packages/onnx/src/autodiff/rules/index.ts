import type { GradRule } from "../rule.ts";
import { conv } from "./conv.ts";
import {
  add,
  div,
  exp,
  leakyRelu,
  log,
  mul,
  neg,
  passThrough,
  relu,
  sigmoid,
  sqrt,
  sub,
  sum,
  tanh,
} from "./elementwise.ts";
import { gemm, matMul } from "./linear.ts";
import { averagePool, maxPool } from "./pool.ts";
import { globalAveragePool, reduceMean, reduceSum } from "./reduction.ts";
import { concat, expand, reshaped, transpose } from "./shaping.ts";
import { logSoftmax, softmax } from "./softmax.ts";

/** Operators a gradient passes through. */
export type DifferentiableOp =
  | "Add"
  | "AveragePool"
  | "Concat"
  | "Conv"
  | "Div"
  | "Dropout"
  | "Exp"
  | "Expand"
  | "Flatten"
  | "Gemm"
  | "GlobalAveragePool"
  | "Identity"
  | "LeakyRelu"
  | "Log"
  | "LogSoftmax"
  | "MatMul"
  | "MaxPool"
  | "Mul"
  | "Neg"
  | "ReduceMean"
  | "ReduceSum"
  | "Relu"
  | "Reshape"
  | "Sigmoid"
  | "Softmax"
  | "Sqrt"
  | "Squeeze"
  | "Sub"
  | "Sum"
  | "Tanh"
  | "Transpose"
  | "Unsqueeze";

/** One rule for each: an operator without a gradient does not compile. */
export const GRAD_RULES: { readonly [Op in DifferentiableOp]: GradRule } = {
  Add: add,
  AveragePool: averagePool,
  Concat: concat,
  Conv: conv,
  Div: div,
  Dropout: passThrough,
  Exp: exp,
  Expand: expand,
  Flatten: reshaped,
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  Identity: passThrough,
  LeakyRelu: leakyRelu,
  Log: log,
  LogSoftmax: logSoftmax,
  MatMul: matMul,
  MaxPool: maxPool,
  Mul: mul,
  Neg: neg,
  ReduceMean: reduceMean,
  ReduceSum: reduceSum,
  Relu: relu,
  Reshape: reshaped,
  Sigmoid: sigmoid,
  Softmax: softmax,
  Sqrt: sqrt,
  Squeeze: reshaped,
  Sub: sub,
  Sum: sum,
  Tanh: tanh,
  Transpose: transpose,
  Unsqueeze: reshaped,
};

export function isDifferentiable(opType: string): opType is DifferentiableOp {
  return Object.hasOwn(GRAD_RULES, opType);
}

/** Operators whose result does not change with small changes of their input: gradients end here. */
export const FLAT_OPS: ReadonlySet<string> = new Set([
  "And",
  "ArgMax",
  "ArgMin",
  "Ceil",
  "Equal",
  "Floor",
  "Greater",
  "GreaterOrEqual",
  "Less",
  "LessOrEqual",
  "Not",
  "Or",
  "Round",
  "Shape",
  "Sign",
  "Size",
]);
