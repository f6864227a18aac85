import type { Node, TensorValue } from "../ir/model.ts";
import { inferShapes } from "../ir/shapes.ts";
import { readsOf } from "../ir/graph-order.ts";
import { floatValues } from "../ir/tensor-value.ts";
import { fitsFloat16, halfTensor, reportOf } from "./float16-tensor.ts";
import type { WeightReport } from "./options.ts";
import { indexGraph, isOp } from "./readers.ts";
import { Rewriter } from "./rewriter.ts";
import type { Scheme } from "./scheme.ts";

/**
 * Operators that onnxruntime's WebGPU provider computes in float16, and whose results a float16 holds where their inputs fit: sums of
 * many squares (normalizations, variances) stay float32, and so does what this list does not know.
 */
const HALF_OPS = [
  "Conv ConvTranspose MatMul Gemm Add Sub Mul Div Neg Abs Min Max",
  "Relu LeakyRelu PRelu Elu Sigmoid HardSigmoid HardSwish Tanh Gelu Erf Clip Softmax",
  "MaxPool AveragePool GlobalAveragePool GlobalMaxPool",
  "Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather Expand Pad Where Identity",
].flatMap((line) => line.split(" "));

/** Element types as Cast names them. */
const CODES = { float32: 1, float16: 10 } as const;

/**
 * Weights and arithmetic in float16, between inputs and outputs that stay float32. For engines that have it: a processor's casts every
 * operand to float32 and back.
 */
export const float16Arithmetic: Scheme = (model, { exclude = [] }) => {
  const { graph } = model;
  const index = indexGraph(graph);
  const types = inferShapes(model);
  const excluded = new Set(exclude);
  const rewriter = new Rewriter(graph);
  const kept = new Set<string>();
  const reports: WeightReport[] = [];
  /** The float16 name of a value, and which values have a float32 one. */
  const halves = new Map<string, string>();
  const whole = new Set(graph.inputs.map(({ name }) => name));

  const isFloat = (name: string): boolean =>
    name !== "" && (index.constants.get(name) ?? types.get(name))?.elementType === "float32";
  const isUsable = (name: string): boolean => {
    const constant = index.constants.get(name);
    return constant === undefined || (!excluded.has(name) && fitsFloat16(floatValues(constant)));
  };
  const runsInHalf = (node: Node): boolean =>
    isOp(node, ...HALF_OPS) &&
    !excluded.has(node.name) &&
    node.inputs.some(isFloat) &&
    node.outputs.every((name) => name === "" || isFloat(name)) &&
    node.inputs.filter(isFloat).every(isUsable);

  const constantInHalf = (constant: TensorValue): string => {
    const name = rewriter.name(`${constant.name}.float16`);
    const half = halfTensor(name, constant);
    reports.push(reportOf(constant, half));
    return rewriter.constant(half);
  };
  const inHalf = (name: string): string => {
    let half = halves.get(name);
    if (half !== undefined) return half;
    const constant = index.constants.get(name);
    half =
      constant === undefined
        ? rewriter.op("Cast", [name], rewriter.name(`${name}.float16`), { to: CODES.float16 })
        : constantInHalf(constant);
    halves.set(name, half);
    return half;
  };
  const inWhole = (name: string): void => {
    if (index.constants.has(name)) kept.add(name);
    const half = halves.get(name);
    if (half === undefined || whole.has(name) || index.constants.has(name)) return;
    rewriter.op("Cast", [half], name, { to: CODES.float32 });
    whole.add(name);
  };

  for (const node of graph.nodes) {
    if (!runsInHalf(node)) {
      for (const name of readsOf(node)) inWhole(name);
      rewriter.nodes.push(node);
      for (const name of node.outputs) whole.add(name);
      continue;
    }
    const inputs = node.inputs.map((name) => {
      if (isFloat(name)) return inHalf(name);
      if (index.constants.has(name)) kept.add(name);
      return name;
    });
    const outputs = node.outputs.map((name) => {
      if (name === "") return name;
      const half = rewriter.name(`${name}.float16`);
      halves.set(name, half);
      return half;
    });
    rewriter.nodes.push({ ...node, inputs, outputs });
  }
  for (const { name } of graph.outputs) inWhole(name);
  const initializers = [...graph.initializers.filter(({ name }) => kept.has(name)), ...rewriter.initializers];
  return {
    // What the file says of values between may be of those that became float16.
    graph: { ...graph, nodes: rewriter.nodes, initializers, valueInfo: [] },
    weights: new Map(),
    reports,
  };
};
