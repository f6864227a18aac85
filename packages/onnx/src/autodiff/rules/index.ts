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
import { averagePool, lpPool, maxPool } from "./pool.ts";
import { throughExpansion } from "./expansion.ts";
import { dequantizeLinear, quantizeLinear } from "./quantization.ts";
import { resize } from "./resize.ts";
import { einsum } from "./einsum.ts";
import { convTranspose } from "./conv-transpose.ts";
import { concat, expand, reshaped, transpose } from "./shaping.ts";
import { logSoftmax, softmax } from "./softmax.ts";

import {
  abs,
  celu,
  cos,
  elu,
  erf,
  gelu,
  hardSigmoid,
  hardSwish,
  mish,
  pRelu,
  pow,
  reciprocal,
  selu,
  sin,
  softplus,
  softsign,
  thresholdedRelu,
} from "./activation.ts";
import { gather, gatherElements, gatherND, scatterElements, scatterND } from "./indexing.ts";
import { cumSum, depthToSpace, pad, slice, spaceToDepth, split, tile, trilu } from "./moving.ts";
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  rmsNormalization,
} from "./normalization.ts";
import {
  globalAveragePool,
  globalMaxPool,
  reduceExtremum,
  reduceL1,
  reduceL2,
  reduceLogSum,
  reduceLogSumExp,
  reduceMean,
  reduceProd,
  reduceSum,
  reduceSumSquare,
} from "./reduction.ts";
import { cast, clip, extremum, where } from "./selection.ts";

/** Operators a gradient passes through. */
export type DifferentiableOp =
  | "Abs"
  | "Add"
  | "AveragePool"
  | "BatchNormalization"
  | "Cast"
  | "Celu"
  | "Clip"
  | "Concat"
  | "Conv"
  | "Cos"
  | "CumSum"
  | "RNN"
  | "LSTM"
  | "GRU"
  | "Attention"
  | "LpPool"
  | "Einsum"
  | "Resize"
  | "ConvTranspose"
  | "DepthToSpace"
  | "DequantizeLinear"
  | "Div"
  | "Dropout"
  | "Elu"
  | "Erf"
  | "Exp"
  | "Expand"
  | "Flatten"
  | "Gather"
  | "GatherElements"
  | "GatherND"
  | "Gelu"
  | "Gemm"
  | "GlobalAveragePool"
  | "GlobalMaxPool"
  | "GroupNormalization"
  | "HardSigmoid"
  | "HardSwish"
  | "Identity"
  | "InstanceNormalization"
  | "LayerNormalization"
  | "LeakyRelu"
  | "Log"
  | "LogSoftmax"
  | "MatMul"
  | "Max"
  | "MaxPool"
  | "Min"
  | "Mish"
  | "Mul"
  | "Neg"
  | "PRelu"
  | "Pad"
  | "Pow"
  | "QuantizeLinear"
  | "RMSNormalization"
  | "Reciprocal"
  | "ReduceL1"
  | "ReduceL2"
  | "ReduceLogSum"
  | "ReduceLogSumExp"
  | "ReduceMax"
  | "ReduceMean"
  | "ReduceMin"
  | "ReduceProd"
  | "ReduceSum"
  | "ReduceSumSquare"
  | "Relu"
  | "Reshape"
  | "ScatterElements"
  | "ScatterND"
  | "Selu"
  | "Sigmoid"
  | "Sin"
  | "Slice"
  | "Softmax"
  | "Softplus"
  | "Softsign"
  | "SpaceToDepth"
  | "Split"
  | "Sqrt"
  | "Squeeze"
  | "Sub"
  | "Sum"
  | "Tanh"
  | "ThresholdedRelu"
  | "Tile"
  | "Transpose"
  | "Trilu"
  | "Unsqueeze"
  | "Where";

/** One rule for each: an operator without a gradient does not compile. */
export const GRAD_RULES: { readonly [Op in DifferentiableOp]: GradRule } = {
  Abs: abs,
  Add: add,
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Cast: cast,
  Celu: celu,
  Clip: clip,
  Concat: concat,
  Conv: conv,
  Cos: cos,
  CumSum: cumSum,
  RNN: throughExpansion,
  LSTM: throughExpansion,
  GRU: throughExpansion,
  Attention: throughExpansion,
  LpPool: lpPool,
  Einsum: einsum,
  Resize: resize,
  ConvTranspose: convTranspose,
  DepthToSpace: depthToSpace,
  DequantizeLinear: dequantizeLinear,
  Div: div,
  Dropout: passThrough,
  Elu: elu,
  Erf: erf,
  Exp: exp,
  Expand: expand,
  Flatten: reshaped,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Gelu: gelu,
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  GroupNormalization: groupNormalization,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Identity: passThrough,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LeakyRelu: leakyRelu,
  Log: log,
  LogSoftmax: logSoftmax,
  MatMul: matMul,
  Max: extremum,
  MaxPool: maxPool,
  Min: extremum,
  Mish: mish,
  Mul: mul,
  Neg: neg,
  PRelu: pRelu,
  Pad: pad,
  Pow: pow,
  QuantizeLinear: quantizeLinear,
  RMSNormalization: rmsNormalization,
  Reciprocal: reciprocal,
  ReduceL1: reduceL1,
  ReduceL2: reduceL2,
  ReduceLogSum: reduceLogSum,
  ReduceLogSumExp: reduceLogSumExp,
  ReduceMax: reduceExtremum,
  ReduceMean: reduceMean,
  ReduceMin: reduceExtremum,
  ReduceProd: reduceProd,
  ReduceSum: reduceSum,
  ReduceSumSquare: reduceSumSquare,
  Relu: relu,
  Reshape: reshaped,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  Selu: selu,
  Sigmoid: sigmoid,
  Sin: sin,
  Slice: slice,
  Softmax: softmax,
  Softplus: softplus,
  Softsign: softsign,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Sqrt: sqrt,
  Squeeze: reshaped,
  Sub: sub,
  Sum: sum,
  Tanh: tanh,
  ThresholdedRelu: thresholdedRelu,
  Tile: tile,
  Transpose: transpose,
  Trilu: trilu,
  Unsqueeze: reshaped,
  Where: where,
};

export function isDifferentiable(opType: string): opType is DifferentiableOp {
  return Object.hasOwn(GRAD_RULES, opType);
}

/** Operators whose result does not change with small changes of their input: gradients end here. */
export const FLAT_OPS: ReadonlySet<string> = new Set([
  "And",
  "ArgMax",
  "ArgMin",
  "BitShift",
  "BitwiseAnd",
  "BitwiseNot",
  "BitwiseOr",
  "BitwiseXor",
  "Ceil",
  "Constant",
  "ConstantOfShape",
  "Equal",
  "EyeLike",
  "Floor",
  "Greater",
  "GreaterOrEqual",
  "IsInf",
  "IsNaN",
  "Less",
  "LessOrEqual",
  "NonZero",
  "Not",
  "OneHot",
  "Or",
  "Range",
  "Round",
  "Shape",
  "Sign",
  "Size",
  "Xor",
]);
