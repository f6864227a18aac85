import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel } from "./attributes.ts";
import type { ElementType } from "./element-type.ts";
import { elementTypeOf } from "./element-type.ts";
import type { Fact } from "./fact.ts";
import { broadcastShapes, normalAxis, productOf, quotientOf, shapeText, UNKNOWN } from "./fact.ts";
import type { Dim, Node } from "./model.ts";
import { integerValues } from "./tensor-value.ts";
import { windowOf, windowOutput } from "./window.ts";

/** One node and what is known of its inputs (UNKNOWN where left out). */
export interface ShapeContext {
  readonly node: Node;
  readonly inputs: readonly Fact[];
}

export type ShapeRule = (context: ShapeContext) => readonly Fact[];

const MAX_VALUES = 64;

function first({ inputs }: ShapeContext): Fact {
  return inputs[0] ?? UNKNOWN;
}

function mismatch(node: Node, text: string): Error {
  return failure("onnx/shape-mismatch", `onnx: ${nodeLabel(node)}: ${text}`);
}

const sameAsFirst: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return context.node.outputs.map((_, i) => (i === 0 ? { elementType, shape } : UNKNOWN));
};

const identity: ShapeRule = (context) => [first(context)];

function broadcast(elementType?: ElementType, from = 0): ShapeRule {
  return ({ node, inputs }) => [
    {
      elementType: elementType ?? inputs[from]?.elementType ?? "undefined",
      shape: broadcastShapes(
        nodeLabel(node),
        inputs.map(({ shape }) => shape),
      ),
    },
  ];
}

/** Integer arithmetic on shape values, as exporters build them. */
function arithmetic(apply: (a: number, b: number) => number): ShapeRule {
  const shapes = broadcast();
  return (context) => {
    const [result] = shapes(context);
    const [a, b] = context.inputs;
    const length = Math.max(a?.values?.length ?? 0, b?.values?.length ?? 0);
    if (a?.values === undefined || b?.values === undefined) return [result!];
    const values = Array.from({ length }, (_, i) => {
      const x = a.values![a.values!.length === 1 ? 0 : i];
      const y = b.values![b.values!.length === 1 ? 0 : i];
      return typeof x === "number" && typeof y === "number" ? apply(x, y) : "";
    });
    return [{ ...result!, values }];
  };
}

function axesOf({ node, inputs }: ShapeContext, index: number): readonly number[] | undefined {
  const fromAttribute = intsAttribute(node, "axes");
  if (fromAttribute !== undefined) return fromAttribute;
  const values = inputs[index]?.values;
  return values?.every((value) => typeof value === "number") ? (values as number[]) : undefined;
}

const reduce: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  const given = axesOf(context, 1);
  const absent = node.inputs[1] === undefined || node.inputs[1] === "" || inputs[1]?.shape?.[0] === 0;
  if (given === undefined && !absent) return [{ elementType, shape: undefined }];
  const noop = intAttribute(node, "noop_with_empty_axes", 0) !== 0;
  const listed = given ?? [];
  const axes = new Set(
    listed.length === 0 && !noop
      ? shape.keys()
      : listed.map((axis) => normalAxis(nodeLabel(node), axis, shape.length)),
  );
  const keep = intAttribute(node, "keepdims", 1) !== 0;
  const reduced = shape.flatMap((dim, i): Dim[] => (axes.has(i) ? (keep ? [1] : []) : [dim]));
  return [{ elementType, shape: reduced }];
};

const argReduce: ShapeRule = (context) => {
  const { shape } = first(context);
  const { node } = context;
  if (shape === undefined) return [{ elementType: "int64", shape }];
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), shape.length);
  const keep = intAttribute(node, "keepdims", 1) !== 0;
  const reduced = shape.flatMap((dim, i): Dim[] => (i === axis ? (keep ? [1] : []) : [dim]));
  return [{ elementType: "int64", shape: reduced }];
};

const gemm: ShapeRule = ({ node, inputs: [a, b] }) => {
  const elementType = a?.elementType ?? "undefined";
  if (a?.shape === undefined || b?.shape === undefined) return [{ elementType, shape: undefined }];
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw mismatch(node, `needs matrices, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  }
  const [m, k] = intAttribute(node, "transA", 0) === 0 ? a.shape : a.shape.toReversed();
  const [k2, n] = intAttribute(node, "transB", 0) === 0 ? b.shape : b.shape.toReversed();
  checkInner(node, k!, k2!, a.shape, b.shape);
  return [{ elementType, shape: [m!, n!] }];
};

const matMul: ShapeRule = ({ node, inputs: [a, b] }) => {
  const elementType = a?.elementType ?? "undefined";
  if (a?.shape === undefined || b?.shape === undefined) return [{ elementType, shape: undefined }];
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  if (left.length === 0 || right.length === 0) throw mismatch(node, "a scalar operand");
  checkInner(node, left.at(-1)!, right.at(-2)!, a.shape, b.shape);
  const batch = broadcastShapes(nodeLabel(node), [left.slice(0, -2), right.slice(0, -2)]);
  const rows = a.shape.length === 1 ? [] : [left.at(-2)!];
  const columns = b.shape.length === 1 ? [] : [right.at(-1)!];
  return [{ elementType, shape: [...batch!, ...rows, ...columns] }];
};

function checkInner(node: Node, k: Dim, k2: Dim, a: readonly Dim[], b: readonly Dim[]): void {
  if (typeof k === "number" && typeof k2 === "number" && k !== k2) {
    throw mismatch(
      node,
      `inner dimensions differ, A is ${shapeText(a)} and B is ${shapeText(b)}; check the exporter's transB`,
    );
  }
}

const conv: ShapeRule = ({ node, inputs: [x, w] }) => {
  const elementType = x?.elementType ?? "undefined";
  if (x?.shape === undefined || w?.shape === undefined) return [{ elementType, shape: undefined }];
  const kernel = w.shape.slice(2);
  const [n, c, ...spatial] = x.shape;
  const group = intAttribute(node, "group", 1);
  const perGroup = w.shape[1];
  if (typeof c === "number" && typeof perGroup === "number" && c !== perGroup * group) {
    throw mismatch(
      node,
      `${c} input channels, the kernel ${shapeText(w.shape)} has ${perGroup} in ${group} groups`,
    );
  }
  if (!kernel.every((size) => typeof size === "number")) return [{ elementType, shape: undefined }];
  const window = windowOf(node, kernel, spatial);
  return [{ elementType, shape: [n!, w.shape[0]!, ...windowOutput(node, window, spatial)] }];
};

const convTranspose: ShapeRule = ({ node, inputs: [x, w] }) => {
  const elementType = x?.elementType ?? "undefined";
  if (x?.shape === undefined || w?.shape === undefined) return [{ elementType, shape: undefined }];
  const kernel = w.shape.slice(2);
  const [n, , ...spatial] = x.shape;
  if (!kernel.every((size) => typeof size === "number") || node.attributes.has("output_shape")) {
    return [{ elementType, shape: undefined }];
  }
  const window = windowOf(node, kernel, spatial);
  const extra = intsAttribute(node, "output_padding") ?? kernel.map(() => 0);
  const sizes = spatial.map((size, i): Dim => {
    if (typeof size !== "number") return "";
    const full = window.strides[i]! * (size - 1) + (kernel[i]! - 1) * window.dilations[i]! + 1;
    return full + extra[i]! - window.padsBegin[i]! - window.padsEnd[i]!;
  });
  const channels = w.shape[1];
  const group = intAttribute(node, "group", 1);
  return [{ elementType, shape: [n!, typeof channels === "number" ? channels * group : "", ...sizes] }];
};

const pool: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape } = first(context);
  const kernel = intsAttribute(node, "kernel_shape");
  if (kernel === undefined) throw mismatch(node, "kernel_shape is missing");
  if (shape === undefined) return [{ elementType, shape }];
  const [n, c, ...spatial] = shape;
  if (spatial.length !== kernel.length) throw mismatch(node, `input ${shapeText(shape)}`);
  const window = windowOf(node, kernel, spatial);
  const out = [n!, c!, ...windowOutput(node, window, spatial)];
  return [
    { elementType, shape: out },
    { elementType: "int64", shape: out },
  ];
};

const globalPool: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return [{ elementType, shape: shape?.map((dim, i) => (i < 2 ? dim : 1)) }];
};

const flatten: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape: ["", ""] }];
  const axis = intAttribute(context.node, "axis", 1);
  const at = axis < 0 ? axis + shape.length : axis;
  return [{ elementType, shape: [productOf(shape.slice(0, at)), productOf(shape.slice(at))] }];
};

const reshape: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const target = inputs[1]?.values;
  if (target === undefined) {
    const rank = inputs[1]?.shape?.[0];
    const known = typeof rank === "number" && rank <= MAX_VALUES;
    return [{ elementType, shape: known ? Array.from({ length: rank }, (): Dim => "") : undefined }];
  }
  const zeroIsZero = intAttribute(node, "allowzero", 0) !== 0;
  const wanted = target.map((dim, i) => (dim === 0 && !zeroIsZero ? (shape?.[i] ?? "") : dim));
  const hole = wanted.indexOf(-1);
  if (hole >= 0) {
    const others = wanted.filter((_, i) => i !== hole);
    wanted[hole] = shape === undefined ? "" : quotientOf(shape, others);
  } else if (shape !== undefined) {
    const [before, after] = [productOf(shape), productOf(wanted)];
    if (typeof before === "number" && typeof after === "number" && before !== after) {
      throw mismatch(node, `${shapeText(shape)} cannot become ${shapeText(wanted)}`);
    }
  }
  if (wanted.some((dim) => typeof dim === "number" && (dim < 0 || !Number.isInteger(dim)))) {
    throw mismatch(node, `${shapeText(shape)} cannot become ${shapeText(target)}`);
  }
  const values = inputs[0]?.values;
  return [{ elementType, shape: wanted, ...(values === undefined ? {} : { values }) }];
};

const transpose: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  const perm = intsAttribute(node, "perm") ?? [...shape.keys()].toReversed();
  if (
    perm.length !== shape.length ||
    new Set(perm).size !== shape.length ||
    perm.some((i) => shape[i] === undefined)
  ) {
    throw mismatch(node, `perm [${perm.join(",")}] of ${shapeText(shape)}`);
  }
  return [{ elementType, shape: perm.map((i) => shape[i]!) }];
};

const squeeze: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape, values } = first(context);
  const axes = axesOf(context, 1);
  const rest = values === undefined ? {} : { values };
  if (shape === undefined) return [{ elementType, shape }];
  if (axes === undefined) {
    if (node.inputs.length > 1 || shape.some((dim) => typeof dim !== "number"))
      return [{ elementType, shape: undefined }];
    return [{ elementType, shape: shape.filter((dim) => dim !== 1), ...rest }];
  }
  const gone = new Set(axes.map((axis) => normalAxis(nodeLabel(node), axis, shape.length)));
  return [{ elementType, shape: shape.filter((_, i) => !gone.has(i)), ...rest }];
};

const unsqueeze: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape, values } = first(context);
  const axes = axesOf(context, 1);
  if (shape === undefined || axes === undefined) return [{ elementType, shape: undefined }];
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(nodeLabel(node), axis, rank)));
  const rest = [...shape];
  const result = Array.from({ length: rank }, (_, i): Dim => (added.has(i) ? 1 : rest.shift()!));
  return [{ elementType, shape: result, ...(values === undefined ? {} : { values }) }];
};

const concat: ShapeRule = ({ node, inputs }) => {
  const elementType = inputs[0]?.elementType ?? "undefined";
  const shapes = inputs.map(({ shape }) => shape);
  if (shapes.length === 0 || !shapes.every((shape) => shape !== undefined))
    return [{ elementType, shape: undefined }];
  const rank = shapes[0]!.length;
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), rank);
  const result = shapes[0]!.map((dim, i): Dim => {
    const sizes = shapes.map((shape) => shape[i] ?? "");
    if (i !== axis) return sizes.find((size) => typeof size === "number") ?? dim;
    return sizes.every((size) => typeof size === "number") ? sizes.reduce((sum, size) => sum + size, 0) : "";
  });
  const values = inputs.flatMap((input) => input.values ?? []);
  const known = rank === 1 && values.length === result[0] && values.length <= MAX_VALUES;
  return [{ elementType, shape: result, ...(known ? { values } : {}) }];
};

const gather: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape, values } = first(context);
  const indices = inputs[1];
  if (shape === undefined || indices?.shape === undefined) return [{ elementType, shape: undefined }];
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), shape.length);
  const result = [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
  const at = (index: Dim): Dim => {
    if (typeof index !== "number" || values === undefined) return "";
    return values[index < 0 ? index + values.length : index] ?? "";
  };
  const picked = indices.values?.map(at);
  const known = values !== undefined && picked !== undefined && shape.length === 1;
  return [{ elementType, shape: result, ...(known ? { values: picked } : {}) }];
};

const slice: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape, values } = first(context);
  const numbers = (index: number): readonly number[] | undefined => {
    const list = inputs[index]?.values;
    return list?.every((value) => typeof value === "number") ? (list as number[]) : undefined;
  };
  const [starts, ends] = [numbers(1), numbers(2)];
  if (shape === undefined) return [{ elementType, shape }];
  if (starts === undefined || ends === undefined) return [{ elementType, shape: shape.map(() => "") }];
  const axes = numbers(3) ?? starts.map((_, i) => i);
  const steps = numbers(4) ?? starts.map(() => 1);
  const result = [...shape];
  let picked = values;
  for (const [k, axisGiven] of axes.entries()) {
    const axis = normalAxis(nodeLabel(node), axisGiven, shape.length);
    const size = shape[axis]!;
    const step = steps[k] ?? 1;
    if (typeof size !== "number") {
      if (starts[k] !== 0 || step !== 1 || ends[k]! < 2 ** 31 - 1) result[axis] = "";
      continue;
    }
    const clamp = (at: number, low: number, high: number): number =>
      Math.min(Math.max(at < 0 ? at + size : at, low), high);
    const from = step > 0 ? clamp(starts[k]!, 0, size) : clamp(starts[k]!, 0, size - 1);
    const to = step > 0 ? clamp(ends[k]!, 0, size) : clamp(ends[k]!, -1, size - 1);
    const length = Math.max(0, Math.ceil((to - from) / step));
    result[axis] = length;
    if (shape.length === 1)
      picked = picked && Array.from({ length }, (_, i) => picked![from + i * step] ?? "");
  }
  return [
    { elementType, shape: result, ...(picked === undefined || shape.length !== 1 ? {} : { values: picked }) },
  ];
};

const pad: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const pads = (inputs[1]?.values as number[] | undefined) ?? intsAttribute(node, "pads");
  if (shape === undefined || pads?.length !== 2 * shape.length)
    return [{ elementType, shape: shape?.map(() => "") }];
  const sizes = shape.map((dim, i): Dim =>
    typeof dim === "number"
      ? dim + pads[i]! + pads[i + shape.length]!
      : pads[i] === 0 && pads[i + shape.length] === 0
        ? dim
        : "",
  );
  return [{ elementType, shape: sizes }];
};

const shapeOf: ShapeRule = (context) => {
  const { node } = context;
  const { shape } = first(context);
  if (shape === undefined) return [{ elementType: "int64", shape: [""] }];
  const start = intAttribute(node, "start", 0);
  const end = intAttribute(node, "end", shape.length);
  const values = shape.slice(start, end);
  return [{ elementType: "int64", shape: [values.length], values }];
};

const cast: ShapeRule = (context) => {
  const { node } = context;
  const { shape, values } = first(context);
  const elementType = elementTypeOf(intAttribute(node, "to", 0), nodeLabel(node));
  const integer = elementType === "int64" || elementType === "int32";
  return [{ elementType, shape, ...(integer && values !== undefined ? { values } : {}) }];
};

const constant: ShapeRule = ({ node }) => {
  const value = node.attributes.get("value");
  if (value?.type !== "tensor") return [UNKNOWN];
  return [factOfTensor(value.value)];
};

/** What an initializer tells: its shape, and its elements if it is a small integer tensor. */
export function factOfTensor(tensor: Parameters<typeof integerValues>[0]): Fact {
  const { elementType, dims } = tensor;
  const small = dims.reduce((product, dim) => product * dim, 1) <= MAX_VALUES && dims.length <= 1;
  const values = small ? integerValues(tensor) : undefined;
  return { elementType, shape: dims, ...(values === undefined ? {} : { values }) };
}

const fromValues: ShapeRule = ({ node, inputs }) => {
  const value = node.attributes.get("value");
  const elementType = value?.type === "tensor" ? value.value.elementType : "float32";
  return [{ elementType, shape: inputs[0]?.values }];
};

const expand: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const target = context.inputs[1]?.values;
  return [{ elementType, shape: broadcastShapes(nodeLabel(context.node), [shape, target]) }];
};

const depthToSpace: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const block = intAttribute(context.node, "blocksize", 1);
  const factors = [1, 1 / (block * block), block, block];
  return [
    { elementType, shape: shape?.map((dim, i) => (typeof dim === "number" ? dim * factors[i]! : dim)) },
  ];
};

const where: ShapeRule = broadcast(undefined, 1);
const compare: ShapeRule = broadcast("bool");

/** Shape inference by operator, for the forms of opset 18. What is not here has unknown outputs. */
export const SHAPE_RULES: Readonly<Record<string, ShapeRule>> = {
  Abs: sameAsFirst,
  BatchNormalization: sameAsFirst,
  Ceil: sameAsFirst,
  Clip: sameAsFirst,
  Dropout: sameAsFirst,
  Elu: sameAsFirst,
  Erf: sameAsFirst,
  Exp: sameAsFirst,
  Floor: sameAsFirst,
  Gelu: sameAsFirst,
  HardSigmoid: sameAsFirst,
  HardSwish: sameAsFirst,
  InstanceNormalization: sameAsFirst,
  LayerNormalization: sameAsFirst,
  LeakyRelu: sameAsFirst,
  Log: sameAsFirst,
  LogSoftmax: sameAsFirst,
  LRN: sameAsFirst,
  Neg: sameAsFirst,
  Not: sameAsFirst,
  PRelu: sameAsFirst,
  Reciprocal: sameAsFirst,
  Relu: sameAsFirst,
  Selu: sameAsFirst,
  Sigmoid: sameAsFirst,
  Sign: sameAsFirst,
  Softmax: sameAsFirst,
  Softplus: sameAsFirst,
  Sqrt: sameAsFirst,
  Tanh: sameAsFirst,
  Identity: identity,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => Math.trunc(a / b)),
  Max: broadcast(),
  Min: broadcast(),
  Mod: broadcast(),
  Pow: broadcast(),
  Sum: broadcast(),
  Equal: compare,
  Greater: compare,
  GreaterOrEqual: compare,
  Less: compare,
  LessOrEqual: compare,
  And: compare,
  Or: compare,
  Where: where,
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  ArgMax: argReduce,
  ArgMin: argReduce,
  Gemm: gemm,
  MatMul: matMul,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  Flatten: flatten,
  Reshape: reshape,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Gather: gather,
  Slice: slice,
  Pad: pad,
  Shape: shapeOf,
  Cast: cast,
  Constant: constant,
  ConstantOfShape: fromValues,
  Expand: expand,
  DepthToSpace: depthToSpace,
};
