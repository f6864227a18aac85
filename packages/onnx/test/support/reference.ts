import { floatAttribute, intAttribute, intsAttribute } from "../../src/ir/attributes.ts";
import type { Node } from "../../src/ir/model.ts";
import { windowOf, windowOutput } from "../../src/ir/window.ts";
import type { Array64, Operator } from "./array64.ts";
import {
  array64,
  axesOf,
  broadcastShape,
  broadcastTo,
  coordinates,
  indexOf,
  keeps,
  permuted,
  pointwise,
  pointwise2,
  pool,
  reduce,
} from "./array64.ts";
import { WINDOW_REFERENCE } from "./reference-window.ts";
import { MORE_REFERENCE } from "./reference-more.ts";

/**
 * A float64 interpreter of a few ONNX operators, written from their definitions, in plain loops: what the
 * gradients are compared with, by central differences.
 */
export const REFERENCE: Readonly<Record<string, Operator>> = {
  Add: pointwise2((a, b) => a + b),
  Sub: pointwise2((a, b) => a - b),
  Mul: pointwise2((a, b) => a * b),
  Div: pointwise2((a, b) => a / b),
  Greater: pointwise2((a, b) => Number(a > b)),
  Sum: (node, inputs) => inputs.reduce((a, b) => pointwise2((x, y) => x + y)(node, [a, b])),
  Neg: pointwise(() => (x) => -x),
  Relu: pointwise(() => (x) => Math.max(x, 0)),
  LeakyRelu: pointwise((node) => {
    const alpha = floatAttribute(node, "alpha", 0.01);
    return (x) => (x > 0 ? x : alpha * x);
  }),
  Sigmoid: pointwise(() => (x) => 1 / (1 + Math.exp(-x))),
  Tanh: pointwise(() => Math.tanh),
  Exp: pointwise(() => Math.exp),
  Log: pointwise(() => Math.log),
  Sqrt: pointwise(() => Math.sqrt),
  Identity: pointwise(() => (x) => x),
  Dropout: pointwise(() => (x) => x),
  Gemm: gemm,
  MatMul: matMul,
  Conv: (node, inputs) => (inputs[0]!.shape.length === 4 ? conv : WINDOW_REFERENCE["Conv"]!)(node, inputs),
  MaxPool: (node, [x]) => pool(node, x!, (values) => Math.max(...values.filter((v) => !Number.isNaN(v)))),
  AveragePool: (node, [x]) =>
    pool(node, x!, (values) => {
      const counted =
        intAttribute(node, "count_include_pad", 0) !== 0 ? values : values.filter((v) => !Number.isNaN(v));
      return counted.reduce((sum, v) => sum + (Number.isNaN(v) ? 0 : v), 0) / counted.length;
    }),
  GlobalAveragePool: (_, [x]) =>
    reduce(x!, x!.shape.map((__, i) => i).slice(2), true, (sum, count) => sum / count),
  ReduceSum: (node, [x, axes]) => reduce(x!, axesOf(node, x!, axes), keeps(node), (sum) => sum),
  ReduceMean: (node, [x, axes]) =>
    reduce(x!, axesOf(node, x!, axes), keeps(node), (sum, count) => sum / count),
  Flatten: (node, [x]) => {
    const axis = intAttribute(node, "axis", 1);
    const before = x!.shape.slice(0, axis).reduce((product, dim) => product * dim, 1);
    return { shape: [before, x!.data.length / before], data: x!.data };
  },
  Reshape: (_, [x, target]) => {
    const shape = [...target!.data].map((dim, i) => (dim === 0 ? x!.shape[i]! : dim));
    const known = shape.filter((dim) => dim >= 0).reduce((product, dim) => product * dim, 1);
    return { shape: shape.map((dim) => (dim < 0 ? x!.data.length / known : dim)), data: x!.data };
  },
  Squeeze: (_, [x, axes]) => ({ shape: x!.shape.filter((__, i) => !axes!.data.includes(i)), data: x!.data }),
  Unsqueeze: (_, [x, axes]) => {
    const rest = [...x!.shape];
    const rank = rest.length + axes!.data.length;
    return {
      shape: Array.from({ length: rank }, (__, i) => (axes!.data.includes(i) ? 1 : rest.shift()!)),
      data: x!.data,
    };
  },
  Transpose: transpose,
  Concat: concat,
  Expand: (_, [x, target]) => broadcastTo(x!, broadcastShape(x!.shape, [...target!.data])),
  Softmax: (node, [x]) => softmax(node, x!),
  LogSoftmax: (node, [x]) => pointwise(() => Math.log)(node, [softmax(node, x!)]),
};

function product(a: Array64, b: Array64): Array64 {
  const [rows, inner] = a.shape as [number, number];
  const columns = b.shape[1]!;
  const result = array64([rows, columns]);
  for (let i = 0; i < rows; i += 1)
    for (let k = 0; k < inner; k += 1) {
      const factor = a.data[i * inner + k]!;
      for (let j = 0; j < columns; j += 1) result.data[i * columns + j]! += factor * b.data[k * columns + j]!;
    }
  return result;
}

function transpose(node: Node, [x]: readonly Array64[]): Array64 {
  const reversed = x!.shape.map((_, i) => x!.shape.length - 1 - i);
  return permuted(x!, intsAttribute(node, "perm") ?? reversed);
}

function gemm(node: Node, [a, b, c]: readonly Array64[]): Array64 {
  const left = intAttribute(node, "transA", 0) === 0 ? a! : permuted(a!, [1, 0]);
  const right = intAttribute(node, "transB", 0) === 0 ? b! : permuted(b!, [1, 0]);
  const result = product(left, right);
  const [alpha, beta] = [floatAttribute(node, "alpha", 1), floatAttribute(node, "beta", 1)];
  const bias = c === undefined ? undefined : broadcastTo(c, result.shape);
  return {
    shape: result.shape,
    data: result.data.map((value, i) => alpha * value + (bias === undefined ? 0 : beta * bias.data[i]!)),
  };
}

function matMul(_: Node, [a, b]: readonly Array64[]): Array64 {
  return matrixProduct(a!, b!);
}

/** Vectors count as a row on the left and as a column on the right. */
export function matrixProduct(a: Array64, b: Array64): Array64 {
  const [row, column] = [a.shape.length === 1, b.shape.length === 1];
  if (row) {
    const whole = matrixProduct({ shape: [1, ...a.shape], data: a.data }, b);
    return { shape: whole.shape.toSpliced(column ? 0 : -2, 1), data: whole.data };
  }
  if (column) {
    const whole = matrixProduct(a, { shape: [...b.shape, 1], data: b.data });
    return { shape: whole.shape.slice(0, -1), data: whole.data };
  }
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape.at(-1)!;
  const left = broadcastTo(a, [...batch, m, k]);
  const right = broadcastTo(b, [...batch, k, n]);
  const result = array64([...batch, m, n]);
  for (let i = 0; i * m * n < result.data.length; i += 1) {
    const part = product(
      array64([m, k], left.data.subarray(i * m * k, (i + 1) * m * k)),
      array64([k, n], right.data.subarray(i * k * n, (i + 1) * k * n)),
    );
    result.data.set(part.data, i * m * n);
  }
  return result;
}

function conv(node: Node, [x, w, b]: readonly Array64[]): Array64 {
  const [n, c, height, width] = x!.shape as [number, number, number, number];
  const [m, perGroup, kh, kw] = w!.shape as [number, number, number, number];
  const window = windowOf(node, [kh, kw], [height, width]);
  const [oh, ow] = windowOutput(node, window, [height, width]) as [number, number];
  const group = c / perGroup;
  const [strideY, strideX] = window.strides as [number, number];
  const [stepY, stepX] = window.dilations as [number, number];
  const [top, left] = window.padsBegin as [number, number];
  const result = array64([n, m, oh, ow]);
  for (const [image, out, row, column] of coordinates([n, m, oh, ow]) as Iterable<
    [number, number, number, number]
  >) {
    let sum = b?.data[out] ?? 0;
    const firstChannel = Math.floor(out / (m / group)) * perGroup;
    for (let i = 0; i < kh; i += 1) {
      const y = row * strideY - top + i * stepY;
      if (y < 0 || y >= height) continue;
      for (let j = 0; j < kw; j += 1) {
        const z = column * strideX - left + j * stepX;
        if (z < 0 || z >= width) continue;
        let from = ((image * c + firstChannel) * height + y) * width + z;
        let tap = (out * perGroup * kh + i) * kw + j;
        for (let ch = 0; ch < perGroup; ch += 1, from += height * width, tap += kh * kw) {
          sum += x!.data[from]! * w!.data[tap]!;
        }
      }
    }
    result.data[((image * m + out) * oh + row) * ow + column] = sum;
  }
  return result;
}

function concat(node: Node, inputs: readonly Array64[]): Array64 {
  const given = intAttribute(node, "axis", 0);
  const axis = given < 0 ? given + inputs[0]!.shape.length : given;
  const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const shape = inputs[0]!.shape.map((dim, i) => (i === axis ? total : dim));
  const result = array64(shape);
  let start = 0;
  for (const x of inputs) {
    let i = 0;
    for (const at of coordinates(x.shape)) {
      const moved = at.map((value, k) => (k === axis ? value + start : value));
      result.data[indexOf(shape, moved)] = x.data[i]!;
      i += 1;
    }
    start += x.shape[axis]!;
  }
  return result;
}

function softmax(node: Node, x: Array64): Array64 {
  const given = intAttribute(node, "axis", -1);
  const axis = given < 0 ? given + x.shape.length : given;
  const exponentials = { shape: x.shape, data: x.data.map(Math.exp) };
  const totals = broadcastTo(
    reduce(exponentials, [axis], true, (sum) => sum),
    x.shape,
  );
  return { shape: x.shape, data: exponentials.data.map((value, i) => value / totals.data[i]!) };
}

/** Runs sorted nodes over named values. */
export function interpret(
  nodes: readonly Node[],
  values: ReadonlyMap<string, Array64>,
): Map<string, Array64> {
  const all = new Map(values);
  for (const node of nodes) {
    const operator = REFERENCE[node.opType] ?? MORE_REFERENCE[node.opType];
    if (operator === undefined) throw new Error(`the reference has no ${node.opType}`);
    // Inputs that are left out are undefined, as at the end of the list.
    const results = operator(
      node,
      node.inputs.map((name) => all.get(name)!),
    );
    const list = "data" in results ? [results] : results;
    for (const [i, name] of node.outputs.entries()) all.set(name, list[i]!);
  }
  return all;
}
