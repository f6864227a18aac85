import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";
import { windowOf } from "../../ir/window.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { calculator } from "./calculator.ts";
import { transposedOne } from "./conv.ts";
import { padSpatial, tapSlices } from "./taps.ts";
import { asPlane } from "./plane.ts";

/** Below every float32 that occurs, but finite: -Infinity would make 0·Infinity possible. */
const LOWEST = -3.4028234663852886e38;

/** A pooling window with the pads at the end that it meets: fewer than declared, or more with ceil_mode. */
interface PoolWindow extends Window {
  /** From the first pad to the last element that a window meets. */
  readonly reach: readonly number[];
}

function windowOfPool({ node, builder }: GradContext, x: string, dy: string): PoolWindow {
  const inner = builder.shape(x).slice(2);
  const window = windowOf(node, intsAttribute(node, "kernel_shape") ?? [], inner);
  return metBy(window, inner, builder.shape(dy).slice(2));
}

/** The window with what it meets of data of `inner` sizes, where it makes `outer` results. */
export function metBy(window: Window, inner: readonly number[], outer: readonly number[]): PoolWindow {
  const { kernel, strides, dilations, padsBegin } = window;
  const reach = outer.map((size, i) => (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const padsEnd = reach.map((size, i) => Math.max(0, size - padsBegin[i]! - inner[i]!));
  return { ...window, padsEnd, reach };
}

/**
 * The first tap of each window that equals the maximum takes the whole gradient, as in PyTorch:
 * `rest` is what earlier taps left. onnxruntime's Indices output does not run on WebGPU.
 */
export const maxPool: GradRule = (context, dy) => {
  if (context.builder.shape(dy).length === 3) return asPlane(context, dy, maxPool);
  const { builder } = context;
  const x = context.x(0);
  const window = windowOfPool(context, x, dy);
  const [n, c, ...inner] = builder.shape(x) as [number, number, ...number[]];
  const outer = builder.shape(dy).slice(2);
  const { kernel, strides, dilations, padsBegin, padsEnd, reach } = window;
  const padded = padSpatial(builder, x, padsBegin, padsEnd, LOWEST);
  const zero = builder.float(0);
  let rest = dy;
  const taps = tapSlices(builder, padded, window, outer);
  const shares = taps.map((tap, i) => {
    const share = builder.op("Where", [builder.op("Equal", [tap, context.y(0)]), rest, zero]);
    if (i < taps.length - 1) rest = builder.op("Sub", [rest, share]);
    return share;
  });
  const [k] = kernel;
  const tiled =
    kernel.length === 2 && kernel.every((size, i) => size === k && strides[i] === k && dilations[i] === 1);
  const spread = tiled
    ? builder.op("DepthToSpace", [builder.op("Concat", shares, { axis: 1 })], { blocksize: k! })
    : overlapAdd(context, shares, window, [n, c]);
  // Back to the data: rows no window reached get zero, pads go.
  const missing = inner.map((size, i) => Math.max(0, size + padsBegin[i]! - reach[i]!));
  const none = missing.map(() => 0);
  const whole = padSpatial(builder, spread, none, missing);
  return [cropSpatial(builder, whole, padsBegin, inner)];
};

/** Adds up overlapping windows: a transposed convolution whose kernel puts tap t at its own place. */
function overlapAdd(
  { builder, target }: GradContext,
  shares: readonly string[],
  window: PoolWindow,
  [n, c]: readonly [number, number],
): string {
  const count = shares.length;
  const outer = builder.shape(shares[0]!).slice(2);
  const planes = shares.map((share) => builder.reshape(share, [n * c, 1, ...outer]));
  const stacked = count === 1 ? planes[0]! : builder.op("Concat", planes, { axis: 1 });
  const oneHot = Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0));
  const kernel = builder.floats([count, 1, ...window.kernel], oneHot);
  const none = outer.map(() => 0);
  const inner = window.reach;
  const geometry = { w: kernel, dy: stacked, window: { ...window, padsBegin: none, padsEnd: none }, inner };
  const summed = transposedOne(builder, { ...geometry, x: stacked, outer, group: 1 }, target);
  return builder.reshape(summed, [n, c, ...inner]);
}

function cropSpatial(
  builder: GraphBuilder,
  value: string,
  begin: readonly number[],
  sizes: readonly number[],
): string {
  const from = builder.shape(value).slice(2);
  if (begin.every((at) => at === 0) && from.every((size, i) => size === sizes[i])) return value;
  const ends = sizes.map((size, i) => size + begin[i]!);
  const axes = sizes.map((_, i) => i + 2);
  return builder.op("Slice", [value, ...[begin, ends, axes].map((list) => builder.int64s(list))]);
}

/** Each window's gradient, divided by what the mean divided by, spread evenly over the window. */
export const averagePool: GradRule = (context, dy) => {
  if (context.builder.shape(dy).length === 3) return asPlane(context, dy, averagePool);
  const { builder, node } = context;
  const x = context.x(0);
  const window = windowOfPool(context, x, dy);
  const [n, c, ...inner] = builder.shape(x) as [number, number, ...number[]];
  const outer = builder.shape(dy).slice(2);
  const includePad = intAttribute(node, "count_include_pad", 0) !== 0;
  const declared = windowOf(node, window.kernel, inner).padsEnd;
  if (includePad && window.padsEnd.some((size, i) => size > declared[i]!)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: ceil_mode with count_include_pad and a partial last window, which operator sets count differently; export with count_include_pad 0`,
    );
  }
  const lists = outer.map((_, axis) => divisors(window, axis, inner, outer, includePad));
  const shares = lists
    .reduce<readonly number[]>((all, list) => all.flatMap((a) => list.map((b) => a * b)), [1])
    .map((count) => 1 / count);
  const even = shares.every((share) => share === shares[0]);
  const factor = even ? builder.float(shares[0]!) : builder.floats([1, 1, ...outer], shares);
  const scaled = builder.op("Mul", [dy, factor]);
  return [spreadOver(context, scaled, window, [n, c, ...inner])];
};

/** Every element of a window gets what the window has; overlaps add up. */
function spreadOver(
  { builder, target }: GradContext,
  value: string,
  window: PoolWindow,
  shape: readonly number[],
): string {
  const [n, c, ...inner] = shape as [number, number, ...number[]];
  const taps = window.kernel.reduce((product, size) => product * size, 1);
  const ones = builder.floats(
    [1, 1, ...window.kernel],
    Array.from({ length: taps }, () => 1),
  );
  const outer = builder.shape(value).slice(2);
  const planes = builder.reshape(value, [n * c, 1, ...outer]);
  const geometry = { x: planes, w: ones, dy: planes, window, group: 1, inner, outer };
  return builder.reshape(transposedOne(builder, geometry, target), shape);
}

// y = (sum |x|^p)^(1/p): dy·(|x|/y)^(p-1)·sign(x), and zero where the whole window is zero
export const lpPool: GradRule = (context, dy) => {
  const { builder, node } = context;
  if (builder.shape(dy).length === 3) return asPlane(context, dy, lpPool);
  const calc = calculator(builder);
  const x = context.x(0);
  const window = windowOfPool(context, x, dy);
  const p = intAttribute(node, "p", 2);
  const y = calc.where(calc.greater(context.y(0), 0), context.y(0), 1);
  const share = p === 1 ? dy : calc.mul(dy, calc.pow(y, 1 - p));
  const spread = spreadOver(context, share, window, builder.shape(x));
  if (p === 2) return [calc.mul(spread, x)];
  const size = p === 1 ? spread : calc.mul(spread, calc.pow(calc.abs(x), p - 1));
  return [calc.signed(x, size)];
};

/** How many elements along one axis each window averages. */
function divisors(
  window: Window,
  axis: number,
  inner: readonly number[],
  outer: readonly number[],
  includePad: boolean,
): number[] {
  const size = window.kernel[axis]!;
  return Array.from({ length: outer[axis]! }, (_, at) => {
    if (includePad) return size;
    const start = at * window.strides[axis]! - window.padsBegin[axis]!;
    const positions = Array.from({ length: size }, (__, k) => start + k * window.dilations[axis]!);
    return positions.filter((position) => position >= 0 && position < inner[axis]!).length;
  });
}
