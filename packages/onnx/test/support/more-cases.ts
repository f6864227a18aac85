import type { RuleCase, RuleConstant } from "./rule-cases.ts";

const matrix = [[5, 4]];
const volume = [2, 3, 4];
const image = [2, 4, 3, 5];

const gammaBeta = (size: number): Readonly<Record<string, RuleConstant>> => ({
  mean: { type: "float32", shape: [size], values: Array.from({ length: size }, (_, i) => 0.3 * i - 0.5) },
  variance: { type: "float32", shape: [size], values: Array.from({ length: size }, (_, i) => 0.5 + i) },
});

const reductions = (["ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"] as const).map(
  (op): RuleCase => ({ op, label: "one axis", inputs: [volume], integers: [1] }),
);
const dropped = (["ReduceLogSumExp", "ReduceSumSquare", "ReduceL2", "ReduceMax"] as const).map(
  (op): RuleCase => ({
    op,
    label: "dropped axes",
    inputs: [volume],
    integers: [-1, 0],
    attributes: { keepdims: 0 },
  }),
);

/** Activations, choices, normalizations and reductions. */
export const MORE_CASES: readonly RuleCase[] = [
  { op: "Abs", label: "", inputs: matrix },
  { op: "Reciprocal", label: "", inputs: matrix, positive: true },
  { op: "Sin", label: "", inputs: matrix },
  { op: "Cos", label: "", inputs: matrix },
  { op: "Erf", label: "", inputs: matrix },
  { op: "Elu", label: "alpha 0.7", inputs: matrix, attributes: { alpha: { float: 0.7 } } },
  { op: "Selu", label: "", inputs: matrix },
  { op: "Celu", label: "alpha 2", inputs: matrix, attributes: { alpha: { float: 2 } } },
  { op: "Softplus", label: "", inputs: matrix },
  { op: "Softsign", label: "", inputs: matrix },
  { op: "HardSigmoid", label: "alpha 0.5", inputs: matrix, attributes: { alpha: { float: 0.5 } } },
  { op: "HardSwish", label: "", inputs: matrix },
  { op: "ThresholdedRelu", label: "", inputs: matrix, attributes: { alpha: { float: 0.25 } } },
  { op: "Mish", label: "", inputs: matrix },
  { op: "Gelu", label: "exact", inputs: matrix, opset: 20 },
  { op: "Gelu", label: "tanh", inputs: matrix, opset: 20, attributes: { approximate: "tanh" } },
  { op: "PRelu", label: "slope per channel", inputs: [image, [4, 1, 1]] },
  { op: "Pow", label: "both", inputs: [[4, 3], [3]], positive: true },
  {
    op: "Pow",
    label: "square",
    inputs: matrix,
    constants: { two: { type: "float32", shape: [], values: [2] } },
  },
  { op: "Min", label: "three", inputs: [[4, 3], [3], [4, 1]] },
  {
    op: "Max",
    label: "two",
    inputs: [
      [4, 3],
      [4, 3],
    ],
  },
  {
    op: "Clip",
    label: "both limits",
    inputs: matrix,
    constants: {
      low: { type: "float32", shape: [], values: [-0.5] },
      high: { type: "float32", shape: [], values: [0.5] },
    },
  },
  {
    op: "Clip",
    label: "upper limit",
    inputs: matrix,
    constants: { high: { type: "float32", shape: [], values: [0.5] } },
    order: ["x0", "", "high"],
  },
  {
    op: "Where",
    label: "broadcast",
    inputs: [[2, 3], [3]],
    constants: { condition: { type: "bool", shape: [2, 1], values: [1, 0] } },
    order: ["condition", "x0", "x1"],
  },
  { op: "Cast", label: "to float32", inputs: matrix, attributes: { to: 1 } },
  { op: "LayerNormalization", label: "last axis", inputs: [[2, 3, 8], [8], [8]] },
  {
    op: "LayerNormalization",
    label: "two axes, no bias",
    inputs: [
      [2, 3, 4],
      [3, 4],
    ],
    attributes: { axis: 1, epsilon: { float: 1e-3 } },
  },
  { op: "RMSNormalization", label: "", inputs: [[2, 3, 8], [8]], opset: 23 },
  {
    op: "BatchNormalization",
    label: "image",
    inputs: [image, [4], [4]],
    constants: gammaBeta(4),
    attributes: { epsilon: { float: 1e-3 } },
  },
  { op: "BatchNormalization", label: "matrix", inputs: [[5, 3], [3], [3]], constants: gammaBeta(3) },
  { op: "InstanceNormalization", label: "", inputs: [image, [4], [4]] },
  {
    op: "GroupNormalization",
    label: "per group",
    inputs: [image, [2], [2]],
    attributes: { num_groups: 2 },
  },
  {
    op: "GroupNormalization",
    label: "per channel",
    inputs: [image, [4], [4]],
    attributes: { num_groups: 2 },
    opset: 21,
  },
  ...reductions,
  ...dropped,
  { op: "ReduceLogSum", label: "", inputs: [volume], integers: [0, 2], positive: true },
  { op: "GlobalMaxPool", label: "", inputs: [image] },
];
