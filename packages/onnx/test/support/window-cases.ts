import type { RuleCase } from "./rule-cases.ts";

const signal = [2, 3, 9];
const wide = [2, 3, 7, 6];

/** Windows, interpolation and Einsum. */
export const WINDOW_CASES: readonly RuleCase[] = [
  { op: "Conv", label: "1-D", inputs: [signal, [4, 3, 3], [4]], attributes: { strides: [2], pads: [1, 0] } },
  {
    op: "Conv",
    label: "3-D",
    inputs: [
      [1, 2, 4, 5, 3],
      [3, 2, 2, 3, 2],
    ],
    attributes: { strides: [1, 2, 1], pads: [0, 1, 0, 1, 0, 1] },
  },
  {
    op: "Conv",
    label: "3-D, groups",
    inputs: [[1, 4, 3, 4, 3], [4, 2, 2, 2, 2], [4]],
    attributes: { group: 2, strides: [1, 2, 1], dilations: [1, 1, 2] },
  },
  {
    op: "Conv",
    label: "3-D, depthwise",
    inputs: [
      [1, 3, 3, 4, 3],
      [3, 1, 2, 2, 2],
    ],
    attributes: { group: 3, pads: [1, 0, 0, 0, 1, 0] },
  },
  { op: "MaxPool", label: "1-D", inputs: [signal], attributes: { kernel_shape: [3], strides: [2] } },
  { op: "AveragePool", label: "1-D", inputs: [signal], attributes: { kernel_shape: [2], strides: [2] } },
  {
    op: "MaxPool",
    label: "3-D",
    inputs: [[1, 2, 4, 3, 5]],
    attributes: { kernel_shape: [2, 2, 3], strides: [2, 1, 2], pads: [0, 1, 1, 0, 0, 1] },
  },
  {
    op: "AveragePool",
    label: "3-D",
    inputs: [[1, 2, 4, 3, 5]],
    attributes: { kernel_shape: [2, 2, 3], strides: [2, 1, 2], pads: [0, 1, 1, 0, 0, 1] },
  },
  {
    op: "AveragePool",
    label: "ceil_mode",
    inputs: [wide],
    attributes: { kernel_shape: [3, 2], strides: [3, 4], ceil_mode: 1 },
  },
  {
    op: "LpPool",
    label: "ceil_mode with pads",
    inputs: [wide],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1, pads: [1, 0, 0, 0] },
  },
  {
    op: "LpPool",
    label: "dilations",
    inputs: [wide],
    attributes: { kernel_shape: [2, 2], dilations: [2, 3], pads: [0, 1, 1, 0] },
  },
  { op: "LpPool", label: "p 2", inputs: [wide], attributes: { kernel_shape: [3, 2], strides: [2, 1] } },
  { op: "LpPool", label: "p 3", inputs: [wide], attributes: { kernel_shape: [2, 2], p: 3 } },
  { op: "ConvTranspose", label: "plain", inputs: [wide, [3, 4, 3, 2], [4]] },
  {
    op: "ConvTranspose",
    label: "stride, pads, output padding",
    inputs: [wide, [3, 2, 3, 3]],
    attributes: { strides: [2, 3], pads: [1, 0, 1, 2], output_padding: [1, 2] },
  },
  {
    op: "ConvTranspose",
    label: "groups and dilation",
    inputs: [
      [2, 4, 3, 4],
      [4, 3, 2, 2],
    ],
    attributes: { group: 2, dilations: [2, 1] },
  },
  // WebGPU's Conv is wrong for 6 or 9 channels in and 4 or 8 out: what the gradient would be.
  {
    op: "ConvTranspose",
    label: "6 channels",
    inputs: [
      [1, 4, 5, 5],
      [4, 6, 3, 3],
    ],
  },
  {
    op: "ConvTranspose",
    label: "9 channels, stride 2",
    inputs: [[1, 8, 3, 3], [8, 9, 2, 2], [9]],
    attributes: { strides: [2, 2] },
  },
  ...(["SAME_UPPER", "SAME_LOWER", "VALID"] as const).map((mode): RuleCase => ({
    op: "ConvTranspose",
    label: mode,
    inputs: [
      [1, 3, 4, 3],
      [3, 2, 3, 4],
    ],
    attributes: { auto_pad: mode, strides: [2, 1] },
  })),
  {
    op: "ConvTranspose",
    label: "output_shape",
    inputs: [
      [1, 3, 4, 3],
      [3, 2, 3, 3],
    ],
    attributes: { output_shape: [8, 6], strides: [2, 2] },
  },
  {
    op: "ConvTranspose",
    label: "1-D, groups",
    inputs: [[2, 4, 5], [4, 3, 3], [6]],
    attributes: { group: 2, strides: [2], pads: [1, 0] },
  },
  {
    op: "ConvTranspose",
    label: "3-D",
    inputs: [[1, 3, 2, 3, 2], [3, 2, 2, 2, 3], [2]],
    attributes: { strides: [2, 1, 2], pads: [0, 1, 0, 1, 0, 0] },
  },
  {
    op: "ConvTranspose",
    label: "3-D, groups",
    inputs: [
      [1, 4, 2, 2, 3],
      [4, 2, 2, 2, 2],
    ],
    attributes: { group: 2 },
  },
  { op: "MatMul", label: "vector times matrix", inputs: [[3], [2, 3, 5]] },
  { op: "MatMul", label: "matrices times vector", inputs: [[2, 4, 3], [3]] },
  { op: "MatMul", label: "vectors", inputs: [[3], [3]] },
  {
    op: "Einsum",
    label: "batched product",
    inputs: [
      [2, 3, 4],
      [2, 5, 4],
    ],
    attributes: { equation: "bij,bkj->bik" },
  },
  {
    op: "Einsum",
    label: "ellipsis and a summed axis",
    inputs: [
      [2, 3, 4],
      [4, 5, 2],
    ],
    attributes: { equation: "...i,ijk->...j" },
  },
  { op: "Einsum", label: "diagonal", inputs: [[3, 4, 3]], attributes: { equation: "iji->ji" } },
  {
    op: "Einsum",
    label: "trace times vector",
    inputs: [[3, 3], [4]],
    attributes: { equation: "ii,j->j" },
  },
  { op: "Einsum", label: "transpose and sum", inputs: [[2, 3, 4]], attributes: { equation: "abc->ca" } },
  ...(["half_pixel", "asymmetric", "align_corners"] as const).map((mode): RuleCase => ({
    op: "Resize",
    label: `linear, ${mode}`,
    inputs: [[1, 2, 4, 3]],
    constants: { sizes: { type: "int64", shape: [4], values: [1, 2, 7, 5] } },
    order: ["x0", "", "", "sizes"],
    attributes: { mode: "linear", coordinate_transformation_mode: mode },
  })),
  {
    op: "Resize",
    label: "nearest by factors",
    inputs: [[1, 2, 4, 3]],
    constants: { factors: { type: "float32", shape: [4], values: [1, 1, 2, 2] } },
    order: ["x0", "", "factors"],
    attributes: { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
  },
  {
    op: "Resize",
    label: "nearest, smaller",
    inputs: [[1, 2, 5, 8]],
    constants: { sizes: { type: "int64", shape: [4], values: [1, 2, 3, 5] } },
    order: ["x0", "", "", "sizes"],
    attributes: { mode: "nearest" },
  },
  // The scale counts, not what the rounded sizes would give.
  ...(
    [
      ["linear", "asymmetric", 1.5],
      ["linear", "half_pixel", 0.6],
      ["linear", "half_pixel_symmetric", 1.3],
      ["nearest", "half_pixel", 1.5],
      ["nearest", "asymmetric", 0.7],
    ] as const
  ).map(([mode, coordinates, scale]): RuleCase => ({
    op: "Resize",
    label: `${mode} by ${scale}, ${coordinates}`,
    inputs: [[1, 2, 5, 3]],
    constants: { factors: { type: "float32", shape: [4], values: [1, 1, scale, scale] } },
    order: ["x0", "", "factors"],
    opset: 19,
    attributes: { mode, coordinate_transformation_mode: coordinates },
  })),
  ...(["not_larger", "not_smaller"] as const).map((policy): RuleCase => ({
    op: "Resize",
    label: `linear, ${policy}`,
    inputs: [[1, 2, 4, 3]],
    constants: { sizes: { type: "int64", shape: [2], values: [7, 6] } },
    order: ["x0", "", "", "sizes"],
    attributes: { mode: "linear", keep_aspect_ratio_policy: policy, axes: [2, 3], antialias: 0 },
  })),
];
