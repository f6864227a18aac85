import { einsum } from "./einsum.ts";
import { broadcast, compare, sameAsFirst } from "./elementwise.ts";
import {
  batchNorm,
  castLike,
  cropPad,
  dropout,
  layerNorm,
  like,
  lossOf,
  nonZero,
  oneHot,
  random,
  range,
  resize,
  size,
  topK,
} from "./generating.ts";
import {
  convInteger,
  dequantizeLinear,
  dynamicQuantizeLinear,
  matMulInteger,
  qLinearConv,
  qLinearMatMul,
  quantizeLinear,
} from "./quantized.ts";
import { attention, recurrent } from "./recurrent.ts";
import type { ShapeRule } from "./rule.ts";
import { globalPool } from "./window.ts";

const SAME = [
  "Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cosh Hardmax LpNormalization MeanVarianceNormalization",
  "RotaryEmbedding Round Scatter Shrink Sinh Swish Tan",
];

/** Recurrent, quantized, generating and the rarer element-wise operators. */
export const MORE_SHAPE_RULES: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(SAME.flatMap((line) => line.split(" ")).map((op) => [op, sameAsFirst])),
  Attention: attention,
  BatchNormalization: batchNorm,
  Bernoulli: like,
  BitShift: broadcast(),
  BitwiseAnd: broadcast(),
  BitwiseOr: broadcast(),
  BitwiseXor: broadcast(),
  CastLike: castLike,
  CenterCropPad: cropPad,
  ConvInteger: convInteger,
  DequantizeLinear: dequantizeLinear,
  Dropout: dropout,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  Einsum: einsum,
  EyeLike: like,
  GRU: recurrent,
  GlobalLpPool: globalPool,
  IsInf: compare,
  IsNaN: compare,
  LSTM: recurrent,
  LayerNormalization: layerNorm,
  MatMulInteger: matMulInteger,
  Mean: broadcast(),
  NegativeLogLikelihoodLoss: lossOf,
  NonZero: nonZero,
  OneHot: oneHot,
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  QuantizeLinear: quantizeLinear,
  RNN: recurrent,
  RandomNormal: random,
  RandomNormalLike: like,
  RandomUniform: random,
  RandomUniformLike: like,
  Range: range,
  Resize: resize,
  Size: size,
  SoftmaxCrossEntropyLoss: lossOf,
  TopK: topK,
  Upsample: resize,
  Xor: compare,
};
