import { tensor, type DType, type Tensor } from "@tributary/tensor";
import type { TinyGraph, TinyNode } from "./tiny-onnx.ts";

/** One graph with what goes in and what has to come out. */
export interface EngineCase {
  readonly name: string;
  readonly graph: TinyGraph;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly expected: Readonly<Record<string, Tensor>>;
}

const f32 = (shape: readonly number[], values: readonly number[]): Tensor =>
  tensor("float32", [...shape], Float32Array.from(values));
const i32 = (shape: readonly number[], values: readonly number[]): Tensor =>
  tensor("int32", [...shape], Int32Array.from(values));
const i64 = (shape: readonly number[], values: readonly number[]): Tensor =>
  tensor("int64", [...shape], BigInt64Array.from(values.map(BigInt)));
const bool = (shape: readonly number[], values: readonly number[]): Tensor =>
  tensor("bool", [...shape], Uint8Array.from(values));

/** A case of one node: ports follow from the tensors. */
function oneNode(
  op: string,
  feeds: Readonly<Record<string, Tensor>>,
  output: Tensor,
  more: {
    readonly attributes?: NonNullable<TinyNode["attributes"]>;
    readonly initializers?: Readonly<Record<string, Tensor>>;
    readonly name?: string;
  } = {},
): EngineCase {
  const port = ({ dtype, shape }: Tensor): readonly [DType, readonly number[]] => [dtype, shape];
  const ports = (tensors: Readonly<Record<string, Tensor>>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, port(value)]));
  const { attributes, initializers = {}, name = op } = more;
  return {
    name,
    graph: {
      nodes: [
        {
          op,
          inputs: [...Object.keys(feeds), ...Object.keys(initializers)],
          outputs: ["y"],
          ...(attributes === undefined ? {} : { attributes }),
        },
      ],
      inputs: ports(feeds),
      outputs: { y: port(output) },
      initializers,
    },
    feeds,
    expected: { y: output },
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The operators that inference, training and evaluation graphs are made of, and the element types they use. */
export const ENGINE_CASES: readonly EngineCase[] = [
  oneNode(
    "QLinearMatMul",
    { a: tensor("uint8", [1, 16], new Uint8Array(16).fill(255)) },
    tensor("uint8", [1, 16], new Uint8Array(16).fill(100)),
    {
      name: "QLinearMatMul, whose pairs of products exceed int16",
      initializers: {
        aScale: f32([], [1]),
        aZero: tensor("uint8", [], Uint8Array.of(0)),
        b: tensor("int8", [16, 16], new Int8Array(256).fill(127)),
        bScale: f32([], [1 / 127]),
        bZero: tensor("int8", [], Int8Array.of(0)),
        yScale: f32([], [40.8]),
        yZero: tensor("uint8", [], Uint8Array.of(0)),
      },
    },
  ),
  oneNode("Add", { a: f32([2, 2], [1, 2, 3, 4]), b: f32([2], [10, 20]) }, f32([2, 2], [11, 22, 13, 24])),
  oneNode("Mul", { a: f32([3], [1, -2, 3]), b: f32([], [2]) }, f32([3], [2, -4, 6]), {
    name: "Mul with a scalar",
  }),
  oneNode("Relu", { a: f32([4], [-1, 0, 0.5, 2]) }, f32([4], [0, 0, 0.5, 2])),
  oneNode("Exp", { a: f32([3], [0, 1, -1]) }, f32([3], [1, Math.E, 1 / Math.E])),
  oneNode("Gemm", { a: f32([2, 3], range(6)) }, f32([2, 2], [6, 18, 15, 54]), {
    name: "Gemm with transB and bias, as PyTorch exports Linear",
    attributes: { transB: 1 },
    initializers: { w: f32([2, 3], range(6)), c: f32([2], [1, 4]) },
  }),
  oneNode("MatMul", { a: f32([1, 2], [1, 2]), b: f32([2, 2], [1, 2, 3, 4]) }, f32([1, 2], [7, 10])),
  oneNode("Conv", { x: f32([1, 1, 3, 3], range(9)) }, f32([1, 1, 2, 2], [8, 12, 20, 24]), {
    attributes: { kernel_shape: [2, 2] },
    initializers: { w: f32([1, 1, 2, 2], [1, 1, 1, 1]) },
  }),
  oneNode("Conv", { x: f32([1, 2, 2, 2], range(8)) }, f32([1, 1, 2, 2], [4, 6, 8, 10]), {
    name: "Conv 1x1 over two channels",
    attributes: { kernel_shape: [1, 1] },
    initializers: { w: f32([1, 2, 1, 1], [1, 1]) },
  }),
  oneNode("MaxPool", { x: f32([1, 1, 2, 4], [1, 5, 2, 0, 3, 4, 8, -1]) }, f32([1, 1, 1, 2], [5, 8]), {
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  }),
  oneNode("Transpose", { a: f32([2, 3], range(6)) }, f32([3, 2], [0, 3, 1, 4, 2, 5]), {
    attributes: { perm: [1, 0] },
  }),
  oneNode("Flatten", { a: f32([2, 1, 2], range(4)) }, f32([2, 2], range(4)), { attributes: { axis: 1 } }),
  oneNode("Reshape", { a: f32([2, 3], range(6)) }, f32([3, 2], range(6)), {
    initializers: { shape: i64([2], [3, -1]) },
  }),
  oneNode("ReduceSum", { a: f32([2, 3], range(6)) }, f32([2], [3, 12]), {
    attributes: { keepdims: 0 },
    initializers: { axes: i64([1], [1]) },
  }),
  oneNode("ReduceMax", { a: f32([2, 3], [1, 9, 2, -4, -5, -6]) }, f32([2, 1], [9, -4]), {
    attributes: { axes: [1], keepdims: 1 },
  }),
  oneNode("Softmax", { a: f32([1, 3], [1, 1, 1]) }, f32([1, 3], [1 / 3, 1 / 3, 1 / 3]), {
    attributes: { axis: 1 },
  }),
  oneNode("ArgMax", { a: f32([2, 3], [1, 9, 2, -4, -5, -3]) }, i64([2], [1, 2]), {
    attributes: { axis: 1, keepdims: 0 },
  }),
  oneNode(
    "Where",
    { c: bool([3], [1, 0, 1]), a: f32([3], [1, 2, 3]), b: f32([3], [-1, -2, -3]) },
    f32([3], [1, -2, 3]),
  ),
  oneNode("Equal", { a: i32([3], [1, 2, 3]), b: i32([3], [1, 0, 3]) }, bool([3], [1, 0, 1]), {
    name: "Equal on int32 gives bool",
  }),
  oneNode("Cast", { a: i64([3], [-5, 0, 7]) }, f32([3], [-5, 0, 7]), {
    name: "Cast int64 to float32",
    attributes: { to: 1 },
  }),
  oneNode("Cast", { a: tensor("uint8", [3], Uint8Array.of(0, 128, 255)) }, f32([3], [0, 128, 255]), {
    name: "Cast uint8 to float32",
    attributes: { to: 1 },
  }),
  oneNode(
    "Cast",
    { a: f32([3], [1, -2, 0.5]) },
    tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x3800)),
    { name: "Cast float32 to float16: raw bits", attributes: { to: 10 } },
  ),
  oneNode(
    "Cast",
    { a: tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x3800)) },
    f32([3], [1, -2, 0.5]),
    { name: "Cast float16 to float32: raw bits", attributes: { to: 1 } },
  ),
  oneNode("Concat", { a: f32([1, 2], [1, 2]), b: f32([1, 1], [3]) }, f32([1, 3], [1, 2, 3]), {
    attributes: { axis: 1 },
  }),
  oneNode("Slice", { a: f32([4], range(4)) }, f32([2], [1, 2]), {
    initializers: { starts: i64([1], [1]), ends: i64([1], [3]) },
  }),
  oneNode("Pad", { a: f32([2], [1, 2]) }, f32([4], [0, 1, 2, 0]), {
    initializers: { pads: i64([2], [1, 1]) },
  }),
  oneNode("Identity", { a: f32([0, 2], []) }, f32([0, 2], []), { name: "an empty batch" }),
  {
    name: "a free batch dimension, two outputs of two element types",
    graph: {
      nodes: [
        { op: "Greater", inputs: ["a", "zero"], outputs: ["positive"] },
        { op: "Neg", inputs: ["a"], outputs: ["negated"] },
      ],
      inputs: { a: ["float32", ["batch", 2]] },
      outputs: { positive: ["bool", ["batch", 2]], negated: ["float32", ["batch", 2]] },
      initializers: { zero: f32([], [0]) },
    },
    feeds: { a: f32([3, 2], [1, -1, 0, 2, -3, 4]) },
    expected: {
      positive: bool([3, 2], [1, 0, 0, 1, 0, 1]),
      negated: f32([3, 2], [-1, 1, 0, -2, 3, -4]),
    },
  },
];
