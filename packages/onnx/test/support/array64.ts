import { intAttribute, intsAttribute } from "../../src/ir/attributes.ts";
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

export type SingleOperator = (node: Node, inputs: readonly Array64[]) => Array64;
export type Operator = (node: Node, inputs: readonly Array64[]) => Array64 | readonly Array64[];

export function pointwise(make: (node: Node) => (x: number) => number): SingleOperator {
  return (node, [x]) => ({ shape: x!.shape, data: x!.data.map(make(node)) });
}

export function pointwise2(apply: (a: number, b: number) => number): SingleOperator {
  return (_, [a, b]) => {
    const shape = broadcastShape(a!.shape, b!.shape);
    const [x, y] = [broadcastTo(a!, shape), broadcastTo(b!, shape)];
    return { shape, data: x.data.map((value, i) => apply(value, y.data[i]!)) };
  };
}

export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) =>
    Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1),
  );
}

/** Row-major index of every element of `shape`, as coordinates. */
export function* coordinates(shape: readonly number[]): Generator<number[]> {
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

export function indexOf(shape: readonly number[], at: readonly number[]): number {
  return shape.reduce((index, dim, axis) => index * dim + at[axis]!, 0);
}

export function broadcastTo(x: Array64, shape: readonly number[]): Array64 {
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

export function permuted(x: Array64, perm: readonly number[]): Array64 {
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

export function reduce(
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

export function axesOf(node: Node, x: Array64, axes: Array64 | undefined): number[] {
  const listed = intsAttribute(node, "axes") ?? (axes === undefined ? undefined : [...axes.data]);
  return (listed ?? [...x.shape.keys()]).map((axis) => (axis < 0 ? axis + x.shape.length : axis));
}

export function keeps(node: Node): boolean {
  return intAttribute(node, "keepdims", 1) !== 0;
}

/** Gives each window's values to `combine`; NaN stands for padding. */
export function pool(node: Node, x: Array64, combine: (values: number[]) => number): Array64 {
  if (x.shape.length === 3) return poolSignal(node, x, combine);
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

/** One spatial axis as two. */
function poolSignal(node: Node, x: Array64, combine: (values: number[]) => number): Array64 {
  const attributes = new Map(node.attributes);
  for (const name of ["kernel_shape", "strides"]) {
    attributes.set(name, { type: "ints", value: [1n, BigInt(intsAttribute(node, name)![0]!)] });
  }
  const [n, c, size] = x.shape as [number, number, number];
  const plane = pool({ ...node, attributes }, { shape: [n, c, 1, size], data: x.data }, combine);
  return { shape: plane.shape.toSpliced(2, 1), data: plane.data };
}
