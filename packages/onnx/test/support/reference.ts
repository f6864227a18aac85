import { floatAttribute, intAttribute, intsAttribute } from "../../src/ir/attributes.ts";
import type { Node } from "../../src/ir/model.ts";
import { windowOf, windowOutput } from "../../src/ir/window.ts";

/** A float64 array for the reference interpreter. */
export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function array64(shape: readonly number[], values?: ArrayLike<number>): Array64 {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return { shape, data: values === undefined ? new Float64Array(count) : Float64Array.from(values) };
}

type Operator = (node: Node, inputs: readonly Array64[]) => Array64;

/**
 * A float64 interpreter of a few ONNX operators, written from their definitions, in plain loops: what the
 * gradients are compared with, by central differences.
 */
export const REFERENCE: Readonly<Record<string, Operator>> = {
  Add: pointwise2((a, b) => a + b),
  Sub: pointwise2((a, b) => a - b),
  Mul: pointwise2((a, b) => a * b),
  Div: pointwise2((a, b) => a / b),
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
  Conv: conv,
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

function pointwise(make: (node: Node) => (x: number) => number): Operator {
  return (node, [x]) => ({ shape: x!.shape, data: x!.data.map(make(node)) });
}

function pointwise2(apply: (a: number, b: number) => number): Operator {
  return (_, [a, b]) => {
    const shape = broadcastShape(a!.shape, b!.shape);
    const [x, y] = [broadcastTo(a!, shape), broadcastTo(b!, shape)];
    return { shape, data: x.data.map((value, i) => apply(value, y.data[i]!)) };
  };
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) =>
    Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1),
  );
}

/** Row-major index of every element of `shape`, as coordinates. */
function* coordinates(shape: readonly number[]): Generator<number[]> {
  const count = shape.reduce((product, dim) => product * dim, 1);
  for (let flat = 0; flat < count; flat += 1) {
    const at = shape.map(() => 0);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      at[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    yield at;
  }
}

function indexOf(shape: readonly number[], at: readonly number[]): number {
  return shape.reduce((index, dim, axis) => index * dim + at[axis]!, 0);
}

function broadcastTo(x: Array64, shape: readonly number[]): Array64 {
  const result = array64(shape);
  const lead = shape.length - x.shape.length;
  let i = 0;
  for (const at of coordinates(shape)) {
    result.data[i] =
      x.data[
        indexOf(
          x.shape,
          x.shape.map((dim, axis) => (dim === 1 ? 0 : at[axis + lead]!)),
        )
      ]!;
    i += 1;
  }
  return result;
}

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

function permuted(x: Array64, perm: readonly number[]): Array64 {
  const shape = perm.map((axis) => x.shape[axis]!);
  const result = array64(shape);
  let i = 0;
  for (const at of coordinates(shape)) {
    const source = x.shape.map((_, axis) => at[perm.indexOf(axis)]!);
    result.data[i] = x.data[indexOf(x.shape, source)]!;
    i += 1;
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
  const batch = broadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  const [m, k] = a!.shape.slice(-2) as [number, number];
  const n = b!.shape.at(-1)!;
  const left = broadcastTo(a!, [...batch, m, k]);
  const right = broadcastTo(b!, [...batch, k, n]);
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

/** Gives each window's values to `combine`; NaN stands for padding. */
function pool(node: Node, x: Array64, combine: (values: number[]) => number): Array64 {
  const [n, c, height, width] = x.shape as [number, number, number, number];
  const window = windowOf(node, intsAttribute(node, "kernel_shape")!, [height, width]);
  const [oh, ow] = windowOutput(node, window, [height, width]) as [number, number];
  const result = array64([n, c, oh, ow]);
  let at = 0;
  for (const [image, channel, row, column] of coordinates([n, c, oh, ow]) as Iterable<
    [number, number, number, number]
  >) {
    const values: number[] = [];
    for (let i = 0; i < window.kernel[0]!; i += 1)
      for (let j = 0; j < window.kernel[1]!; j += 1) {
        const y = row * window.strides[0]! - window.padsBegin[0]! + i * window.dilations[0]!;
        const z = column * window.strides[1]! - window.padsBegin[1]! + j * window.dilations[1]!;
        const inside = y >= 0 && y < height && z >= 0 && z < width;
        values.push(inside ? x.data[((image * c + channel) * height + y) * width + z]! : Number.NaN);
      }
    result.data[at] = combine(values);
    at += 1;
  }
  return result;
}

function keeps(node: Node): boolean {
  return intAttribute(node, "keepdims", 1) !== 0;
}

function axesOf(node: Node, x: Array64, axes: Array64 | undefined): number[] {
  const listed = intsAttribute(node, "axes") ?? (axes === undefined ? undefined : [...axes.data]);
  return (listed ?? [...x.shape.keys()]).map((axis) => (axis < 0 ? axis + x.shape.length : axis));
}

function reduce(
  x: Array64,
  axes: readonly number[],
  keep: boolean,
  finish: (sum: number, count: number) => number,
): Array64 {
  const kept = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const sums = array64(kept);
  let i = 0;
  for (const at of coordinates(x.shape)) {
    sums.data[
      indexOf(
        kept,
        at.map((value, axis) => (axes.includes(axis) ? 0 : value)),
      )
    ]! += x.data[i]!;
    i += 1;
  }
  const count = x.data.length / sums.data.length;
  const shape = keep ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  return { shape, data: sums.data.map((sum) => finish(sum, count)) };
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
    const operator = REFERENCE[node.opType];
    if (operator === undefined) throw new Error(`the reference has no ${node.opType}`);
    const inputs = node.inputs.filter((name) => name !== "").map((name) => all.get(name)!);
    all.set(node.outputs[0]!, operator(node, inputs));
  }
  return all;
}
