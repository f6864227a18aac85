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
  const [n, c, ...inner] = x.shape as [number, number, ...number[]];
  const window = windowOf(node, intsAttribute(node, "kernel_shape")!, inner);
  const outer = windowOutput(node, window, inner) as number[];
  const result = array64([n, c, ...outer]);
  const taps = [...coordinates(window.kernel)];
  let i = 0;
  for (const [image, channel, ...place] of coordinates(result.shape) as Iterable<
    [number, number, ...number[]]
  >) {
    const values = taps.map((tap) => {
      const at = place.map(
        (from, k) => from * window.strides[k]! - window.padsBegin[k]! + tap[k]! * window.dilations[k]!,
      );
      const inside = at.every((index, k) => index >= 0 && index < inner[k]!);
      return inside ? x.data[indexOf(x.shape, [image, channel, ...at])]! : Number.NaN;
    });
    result.data[i] = combine(values);
    i += 1;
  }
  return result;
}
