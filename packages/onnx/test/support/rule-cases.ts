import { equalBytes, seededRandom } from "@tributary/core";
import { appendGradients } from "../../src/autodiff/gradient-graph.ts";
import { appendLowered } from "../../src/autodiff/lower.ts";
import type { GraphTarget } from "../../src/autodiff/rule.ts";
import type { GRAD_RULES } from "../../src/autodiff/rules/index.ts";
import type { AttributeLiteral } from "../../src/ir/attributes.ts";
import { attributesOf } from "../../src/ir/attributes.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import { GraphBuilder } from "../../src/ir/graph-builder.ts";
import type { Node, TensorValue, ValueInfo } from "../../src/ir/model.ts";
import { factOfTensor } from "../../src/ir/shape-rules/constant.ts";
import { floatTensor, int64Tensor } from "../../src/ir/tensor-value.ts";
import { INDEX_CASES } from "./index-cases.ts";
import { MORE_CASES } from "./more-cases.ts";
import { SEQUENCE_CASES } from "./sequence-cases.ts";
import { WINDOW_CASES } from "./window-cases.ts";
import { array64, type Array64 } from "./array64.ts";
import { interpret } from "./reference.ts";

export interface RuleCase {
  readonly op: keyof typeof GRAD_RULES;
  readonly label: string;
  /** Shapes of the inputs that get random values and a gradient. */
  readonly inputs: readonly (readonly number[])[];
  /** An int64 input after those. */
  readonly integers?: readonly number[];
  /** Further inputs, by name, without a gradient. */
  readonly constants?: Readonly<Record<string, RuleConstant>>;
  /** Names of the node's inputs. @defaultValue all of those above, in this order */
  readonly order?: readonly string[];
  /** How many outputs; the gradient of each is given. @defaultValue 1 */
  readonly outputs?: number;
  /** @defaultValue 18 */
  readonly opset?: number;
  readonly attributes?: Readonly<Record<string, AttributeLiteral>>;
  /** Values that suit the operator's domain. @defaultValue normal */
  readonly positive?: boolean;
  readonly targets?: readonly GraphTarget[];
}

export interface RuleConstant {
  readonly type: "int64" | "float32" | "bool";
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

const image = [2, 3, 7, 6];
const FIRST_CASES: readonly RuleCase[] = [
  {
    op: "Add",
    label: "same shape",
    inputs: [
      [2, 3],
      [2, 3],
    ],
  },
  { op: "Add", label: "bias over rows", inputs: [[4, 3], [3]] },
  {
    op: "Add",
    label: "both broadcast",
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
  },
  { op: "Add", label: "channel bias", inputs: [image, [3, 1, 1]] },
  {
    op: "Sub",
    label: "row minus column",
    inputs: [
      [4, 1],
      [1, 3],
    ],
  },
  { op: "Mul", label: "scalar", inputs: [[4, 3], []] },
  {
    op: "Mul",
    label: "same shape",
    inputs: [
      [4, 3],
      [4, 3],
    ],
  },
  { op: "Div", label: "broadcast", inputs: [[4, 3], [3]], positive: true },
  { op: "Sum", label: "three", inputs: [[4, 3], [3], [4, 1]] },
  { op: "Neg", label: "", inputs: [[5]] },
  { op: "Relu", label: "", inputs: [[5, 4]] },
  { op: "LeakyRelu", label: "alpha 0.2", inputs: [[5, 4]], attributes: { alpha: { float: 0.2 } } },
  { op: "Sigmoid", label: "", inputs: [[5, 4]] },
  { op: "Tanh", label: "", inputs: [[5, 4]] },
  { op: "Exp", label: "", inputs: [[5, 4]] },
  { op: "Log", label: "", inputs: [[5, 4]], positive: true },
  { op: "Sqrt", label: "", inputs: [[5, 4]], positive: true },
  { op: "Identity", label: "", inputs: [[5, 4]] },
  { op: "Dropout", label: "at inference", inputs: [[5, 4]] },
  {
    op: "Gemm",
    label: "plain, no C",
    inputs: [
      [4, 3],
      [3, 5],
    ],
  },
  { op: "Gemm", label: "PyTorch linear", inputs: [[4, 3], [5, 3], [5]], attributes: { transB: 1 } },
  {
    op: "Gemm",
    label: "transA",
    inputs: [
      [3, 4],
      [3, 5],
      [4, 1],
    ],
    attributes: { transA: 1 },
  },
  {
    op: "Gemm",
    label: "both transposed, alpha and beta",
    inputs: [
      [3, 4],
      [5, 3],
      [1, 5],
    ],
    attributes: { transA: 1, transB: 1, alpha: { float: 0.5 }, beta: { float: -2 } },
  },
  {
    op: "MatMul",
    label: "matrices",
    inputs: [
      [4, 3],
      [3, 5],
    ],
  },
  {
    op: "MatMul",
    label: "stack times matrix",
    inputs: [
      [2, 4, 3],
      [3, 5],
    ],
  },
  {
    op: "MatMul",
    label: "stacks",
    inputs: [
      [2, 4, 3],
      [2, 3, 5],
    ],
  },
  {
    op: "MatMul",
    label: "stacks that broadcast",
    inputs: [
      [2, 1, 4, 3],
      [3, 3, 5],
    ],
  },
  { op: "Conv", label: "3x3", inputs: [image, [4, 3, 3, 3], [4]] },
  { op: "Conv", label: "1x1, no bias", inputs: [image, [4, 3, 1, 1]] },
  { op: "Conv", label: "pads", inputs: [image, [4, 3, 3, 3], [4]], attributes: { pads: [1, 1, 1, 1] } },
  {
    op: "Conv",
    label: "uneven kernel and pads",
    inputs: [image, [4, 3, 3, 2], [4]],
    attributes: { pads: [2, 0, 1, 1] },
  },
  { op: "Conv", label: "stride 2", inputs: [image, [4, 3, 3, 3]], attributes: { strides: [2, 2] } },
  {
    op: "Conv",
    label: "stride 3 and 2 with pads",
    inputs: [image, [4, 3, 2, 3]],
    attributes: { strides: [3, 2], pads: [1, 0, 0, 1] },
  },
  { op: "Conv", label: "dilation", inputs: [image, [4, 3, 2, 3]], attributes: { dilations: [3, 2] } },
  {
    op: "Conv",
    label: "stride and dilation",
    inputs: [
      [1, 2, 9, 9],
      [3, 2, 3, 3],
    ],
    attributes: { strides: [2, 2], dilations: [2, 2], pads: [1, 1, 1, 1] },
  },
  { op: "Conv", label: "auto_pad", inputs: [image, [4, 3, 3, 2]], attributes: { auto_pad: "SAME_UPPER" } },
  {
    op: "Conv",
    label: "groups",
    inputs: [[2, 4, 5, 5], [6, 2, 3, 3], [6]],
    attributes: { group: 2, strides: [2, 2] },
  },
  {
    op: "Conv",
    label: "depthwise",
    inputs: [
      [2, 4, 5, 5],
      [4, 1, 3, 3],
    ],
    attributes: { group: 4, pads: [1, 1, 1, 1] },
  },
  {
    op: "Conv",
    label: "depthwise, stride and dilation",
    inputs: [
      [2, 6, 7, 8],
      [6, 1, 3, 2],
    ],
    attributes: { group: 6, strides: [2, 3], dilations: [1, 2], pads: [1, 0, 1, 2] },
  },
  {
    op: "MaxPool",
    label: "2x2",
    inputs: [[2, 3, 6, 4]],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: "MaxPool",
    label: "with a rest",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [3, 3] },
  },
  {
    op: "MaxPool",
    label: "ceil_mode",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [3, 3], ceil_mode: 1 },
  },
  {
    op: "MaxPool",
    label: "wide windows",
    inputs: [image],
    attributes: { kernel_shape: [1, 2], strides: [1, 2] },
  },
  {
    op: "MaxPool",
    label: "overlapping with pads",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { op: "MaxPool", label: "stride 1", inputs: [image], attributes: { kernel_shape: [2, 2] } },
  {
    op: "AveragePool",
    label: "2x2",
    inputs: [[2, 3, 6, 4]],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: "AveragePool",
    label: "pads not counted",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  {
    op: "AveragePool",
    label: "pads counted",
    inputs: [image],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 },
  },
  { op: "GlobalAveragePool", label: "", inputs: [image] },
  { op: "ReduceSum", label: "one axis", inputs: [[2, 3, 4]], integers: [1] },
  { op: "ReduceSum", label: "all", inputs: [[2, 3, 4]] },
  {
    op: "ReduceMean",
    label: "dropped axes",
    inputs: [[2, 3, 4]],
    integers: [-1, 0],
    attributes: { keepdims: 0 },
  },
  { op: "Flatten", label: "", inputs: [[2, 3, 4]] },
  { op: "Reshape", label: "", inputs: [[2, 3, 4]], integers: [0, -1] },
  { op: "Squeeze", label: "", inputs: [[2, 1, 4]], integers: [1] },
  { op: "Unsqueeze", label: "", inputs: [[2, 4]], integers: [0, 2] },
  { op: "Transpose", label: "three axes", inputs: [[2, 3, 4]], attributes: { perm: [2, 0, 1] } },
  { op: "Transpose", label: "reversed", inputs: [[2, 3]] },
  {
    op: "Concat",
    label: "",
    inputs: [
      [2, 3],
      [2, 2],
      [2, 1],
    ],
    attributes: { axis: -1 },
  },
  { op: "Expand", label: "", inputs: [[3, 1]], integers: [2, 3, 4] },
  { op: "Softmax", label: "last axis", inputs: [[2, 3, 4]] },
  { op: "Softmax", label: "first axis", inputs: [[3, 4]], attributes: { axis: 0 } },
  { op: "LogSoftmax", label: "", inputs: [[3, 4]] },
];

export const CASES: readonly RuleCase[] = [
  ...FIRST_CASES,
  ...MORE_CASES,
  ...INDEX_CASES,
  ...WINDOW_CASES,
  ...SEQUENCE_CASES,
];

function valuesOf(rule: RuleCase): Map<string, Array64> {
  const random = seededRandom(`${rule.op} ${rule.label}`);
  const draw = (): number => (rule.positive === true ? 0.5 + random.next() : random.normal());
  return new Map(
    rule.inputs.map((shape, i) => {
      const count = shape.reduce((product, dim) => product * dim, 1);
      // float32 values, so that both sides start from the same numbers
      return [`x${i}`, array64(shape, Float32Array.from({ length: count }, draw))];
    }),
  );
}

function constantTensor(name: string, { type, shape, values }: RuleConstant): TensorValue {
  if (type === "int64") return int64Tensor(name, shape, values);
  if (type === "float32") return floatTensor(name, shape, values);
  return { name, elementType: "bool", dims: shape, data: Uint8Array.from(values) };
}

/** One node, and the gradients of all its float inputs for given output gradients "dy", "dy1", … */
export function buildCase(rule: RuleCase, target: GraphTarget) {
  const values = valuesOf(rule);
  const builder = new GraphBuilder();
  for (const [name, { shape }] of values) builder.declare(name, { elementType: "float32", shape });
  const given = new Map(Object.entries(rule.constants ?? {}));
  if (rule.integers !== undefined) {
    given.set("integers", { type: "int64", shape: [rule.integers.length], values: rule.integers });
  }
  for (const [name, constant] of given) {
    const tensor = constantTensor(name, constant);
    builder.initializers.push(tensor);
    builder.declare(name, factOfTensor(tensor));
  }
  const ys = Array.from({ length: rule.outputs ?? 1 }, (_, i) => (i === 0 ? "y" : `y${i}`));
  const node: Node = {
    name: "",
    domain: "",
    opType: rule.op,
    inputs: rule.order ?? [...values.keys(), ...given.keys()],
    outputs: ys,
    attributes: attributesOf(rule.attributes ?? {}),
  };
  appendLowered(builder, node, target);
  const results = ys.map((value) => ({ value, gradient: `d${value}`, shape: builder.shape(value) }));
  for (const { gradient, shape } of results) builder.declare(gradient, { elementType: "float32", shape });
  const gradients = appendGradients(builder, [node], results, new Set(values.keys()), target);
  const info = (name: string): ValueInfo => ({ name, elementType: "float32", shape: builder.shape(name) });
  // An output needs a name of its own, and a gradient may be "dy" itself.
  const outputs = [...values.keys()].map((name) =>
    builder.op("Identity", [gradients.get(name)!], {}, `d${name}`),
  );
  const model = encodeModel({
    irVersion: 8,
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: rule.opset ?? 18 }],
    metadata: [],
    graph: {
      name: "case",
      nodes: builder.nodes,
      initializers: builder.initializers,
      inputs: [...values.keys(), ...results.map(({ gradient }) => gradient)].map(info),
      outputs: [...ys, ...outputs].map(info),
      valueInfo: [],
    },
  });
  const constants = new Map(
    [...given].map(([name, { shape, values: list }]) => [name, array64(shape, list)]),
  );
  const random = seededRandom("dy");
  // What the test feeds as output gradients
  const seeds = new Map(
    results.map(({ gradient, shape }) => {
      const count = shape.reduce((product, dim) => product * dim, 1);
      return [
        gradient,
        array64(
          shape,
          Float32Array.from({ length: count }, () => random.normal()),
        ),
      ] as const;
    }),
  );
  return { rule, model, node, values, constants, seeds };
}

/** Both targets and every engine compare with the same differences: they are taken once. */
const taken = new Map<string, Float64Array>();

/** Gradient of <dy, op(x)> by central differences in float64. */
export function differences(built: ReturnType<typeof buildCase>, name: string): Float64Array {
  const key = `${built.rule.op} ${built.rule.label} ${name}`;
  const gradient = taken.get(key) ?? differencesOf(built, name);
  taken.set(key, gradient);
  return gradient;
}

function differencesOf(built: ReturnType<typeof buildCase>, name: string): Float64Array {
  const { data } = built.values.get(name)!;
  return data.map((_, i) => slope(built, name, new Float64Array(data.length).with(i, 1)));
}

/** Derivative of <dy, op(x)> along a direction of one input, by central differences in float64. */
export function slope(
  { node, values, constants, seeds }: ReturnType<typeof buildCase>,
  name: string,
  direction: Float64Array,
): number {
  const h = 1e-5;
  const x = values.get(name)!;
  const at = (step: number): number => {
    const data = x.data.map((value, i) => value + step * direction[i]!);
    const all = interpret([node], new Map([...values, ...constants, [name, { shape: x.shape, data }]]));
    let total = 0;
    for (const [gradient, dy] of seeds) {
      const y = all.get(gradient.slice(1))!;
      total += y.data.reduce((sum, value, i) => sum + value * dy.data[i]!, 0);
    }
    return total;
  };
  return (at(h) - at(-h)) / (2 * h);
}

export function relativeError(got: ArrayLike<number>, expected: Float64Array): number {
  let [error, size] = [0, 0];
  for (const [i, value] of expected.entries()) {
    error += (got[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(error / Math.max(size, 1e-12));
}

/** Every case, built for each target it is for. */
export const RUNS = CASES.flatMap((rule) =>
  (rule.targets ?? (["cpu", "webgpu"] as const)).map((target) => ({
    ...rule,
    target,
    title: `${rule.op} ${rule.label} (${target})`,
  })),
);

/** Without the cases whose graph is the same for both targets. */
export const DISTINCT_RUNS = RUNS.filter((rule) => {
  if (rule.target === "cpu" || rule.targets !== undefined) return true;
  const [cpu, webgpu] = (["cpu", "webgpu"] as const).map((target) => buildCase(rule, target).model);
  return !equalBytes(cpu!, webgpu!);
});
