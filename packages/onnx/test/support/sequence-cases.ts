import type { RuleCase } from "./rule-cases.ts";

const [steps, batch, size, hidden] = [4, 2, 3, 3];

/** X, W, R, B and an initial state for so many gates. */
function inputs(gates: number, directions: number): readonly (readonly number[])[] {
  return [
    [steps, batch, size],
    [directions, gates * hidden, size],
    [directions, gates * hidden, hidden],
    [directions, 2 * gates * hidden],
    [directions, batch, hidden],
  ];
}

const order = ["x0", "x1", "x2", "x3", "", "x4"];

/** Recurrent layers and attention. */
export const SEQUENCE_CASES: readonly RuleCase[] = [
  {
    op: "LSTM",
    label: "all inputs and outputs",
    inputs: [...inputs(4, 1), [1, batch, hidden]],
    order: [...order, "x5"],
    outputs: 3,
    attributes: { hidden_size: hidden },
  },
  {
    op: "LSTM",
    label: "both directions",
    inputs: inputs(4, 2).slice(0, 4),
    outputs: 2,
    attributes: { hidden_size: hidden, direction: "bidirectional" },
  },
  {
    op: "GRU",
    label: "reset before the product",
    inputs: inputs(3, 1),
    order,
    outputs: 2,
    attributes: { hidden_size: hidden },
  },
  {
    op: "GRU",
    label: "PyTorch's, backwards",
    inputs: inputs(3, 1),
    order,
    attributes: { hidden_size: hidden, linear_before_reset: 1, direction: "reverse" },
  },
  {
    op: "LSTM",
    label: "peepholes, clip",
    inputs: [...inputs(4, 2), [2, batch, hidden], [2, 3 * hidden]],
    order: [...order, "x5", "x6"],
    attributes: { hidden_size: hidden, direction: "bidirectional", clip: { float: 0.9 } },
  },
  {
    op: "LSTM",
    label: "batch first, coupled gates, full lengths",
    inputs: [
      [batch, steps, size],
      [1, 4 * hidden, size],
      [1, 4 * hidden, hidden],
      [1, 8 * hidden],
      [batch, 1, hidden],
      [batch, 1, hidden],
    ],
    constants: { lengths: { type: "int64", shape: [batch], values: [steps, steps] } },
    order: ["x0", "x1", "x2", "x3", "lengths", "x4", "x5"],
    outputs: 3,
    attributes: { hidden_size: hidden, layout: 1, input_forget: 1 },
  },
  {
    op: "LSTM",
    label: "other activations",
    inputs: inputs(4, 1).slice(0, 4),
    attributes: {
      hidden_size: hidden,
      activations: ["HardSigmoid", "Softsign", "ScaledTanh"],
      activation_alpha: { floats: [0.3, 1.2] },
      activation_beta: { floats: [0.4, 0.8] },
    },
  },
  {
    op: "GRU",
    label: "other activations",
    inputs: inputs(3, 2).slice(0, 4),
    attributes: {
      hidden_size: hidden,
      direction: "bidirectional",
      activations: ["Sigmoid", "Elu", "HardSigmoid", "Softplus"],
      activation_alpha: { floats: [0.7, 0.3] },
      activation_beta: { floats: [0.4] },
    },
  },
  ...["Relu", "LeakyRelu", "ThresholdedRelu"].map((name): RuleCase => ({
    op: "RNN",
    label: name,
    inputs: inputs(1, 1).slice(0, 4),
    attributes: { hidden_size: hidden, activations: [name], activation_alpha: { floats: [0.3] } },
  })),
  { op: "RNN", label: "no bias", inputs: inputs(1, 1).slice(0, 3), attributes: { hidden_size: hidden } },
  {
    op: "Attention",
    label: "by heads",
    inputs: [
      [2, 2, 3, 4],
      [2, 2, 5, 4],
      [2, 2, 5, 3],
    ],
    opset: 23,
  },
  {
    op: "Attention",
    label: "flat, causal, shared keys",
    inputs: [
      [2, 3, 8],
      [2, 3, 4],
      [2, 3, 4],
    ],
    attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, scale: { float: 0.4 } },
    opset: 23,
  },
  {
    op: "Attention",
    label: "mask",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [3, 3],
    ],
    opset: 23,
  },
  {
    op: "Attention",
    label: "softcap before the mask",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [3, 3],
    ],
    attributes: { softcap: { float: 0.5 } },
    opset: 23,
  },
  {
    op: "Attention",
    label: "softcap, causal",
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ],
    attributes: { softcap: { float: 0.5 }, is_causal: 1 },
    opset: 23,
  },
];
