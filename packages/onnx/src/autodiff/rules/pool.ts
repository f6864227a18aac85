import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";
import { windowOf } from "../../ir/window.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { calculator } from "./calculator.ts";
import { transposedWindow } from "./conv.ts";
import { padSpatial, tapSlices } from "./taps.ts";
import { asPlane } from "./plane.ts";

/** Below every float32 that occurs, but finite: -Infinity would make 0·Infinity possible. */
const LOWEST = -3.4028234663852886e38;

function windowOfPool({ node, builder }: GradContext, x: string): Window {
  const inner = builder.shape(x).slice(2);
  if (inner.length !== 2) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: only pooling over one or two axes has a gradient, got ${inner.length}`,
    );
  }
  return windowOf(node, intsAttribute(node, "kernel_shape") ?? [], inner);
}

/**
 * The first tap of each window that equals the maximum takes the whole gradient, as in PyTorch:
 * `rest` is what earlier taps left. onnxruntime's Indices output does not run on WebGPU.
 */
export const maxPool: GradRule = (context, dy) => {
  if (context.builder.shape(dy).length === 3) return asPlane(context, dy, maxPool);
  const { builder } = context;
  const x = context.x(0);
  const window = windowOfPool(context, x);
  const [n, c, ...inner] = builder.shape(x) as [number, number, number, number];
  const outer = builder.shape(dy).slice(2);
  const { kernel, strides, dilations, padsBegin } = window;
  // What the windows reach, and at least the data (ceil_mode reaches beyond the declared pads).
  const reach = outer.map((size, i) => (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const padsEnd = reach.map((size, i) => Math.max(0, size - padsBegin[i]! - inner[i]!));
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
  const tiled = kernel.every((size, i) => size === k && strides[i] === k && dilations[i] === 1);
  const spread = tiled
    ? builder.op("DepthToSpace", [builder.op("Concat", shares, { axis: 1 })], { blocksize: k! })
    : overlapAdd(builder, shares, window, [n, c]);
  // Back to the data: rows no window reached get zero, pads go.
  const missing = inner.map((size, i) => Math.max(0, size + padsBegin[i]! - reach[i]!));
  const whole = padSpatial(builder, spread, [0, 0], missing);
  return [cropSpatial(builder, whole, padsBegin, inner)];
};

/** Adds up overlapping windows: a transposed convolution whose kernel puts tap t at its own place. */
function overlapAdd(
  builder: GraphBuilder,
  shares: readonly string[],
  window: Window,
  [n, c]: readonly [number, number],
): string {
  const count = shares.length;
  const [h, w] = builder.shape(shares[0]!).slice(2) as [number, number];
  const planes = shares.map((share) => builder.reshape(share, [n * c, 1, h, w]));
  const stacked = builder.op("Concat", planes, { axis: 1 });
  const oneHot = Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0));
  const kernel = builder.floats([count, 1, ...window.kernel], oneHot);
  const summed = builder.op("ConvTranspose", [stacked, kernel], {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
  });
  return builder.reshape(summed, [n, c, ...builder.shape(summed).slice(2)]);
}

function cropSpatial(
  builder: GraphBuilder,
  value: string,
  begin: readonly number[],
  sizes: readonly number[],
): string {
  const [h, w] = builder.shape(value).slice(2);
  if (begin.every((at) => at === 0) && h === sizes[0] && w === sizes[1]) return value;
  const ends = sizes.map((size, i) => size + begin[i]!);
  return builder.op("Slice", [value, builder.int64s(begin), builder.int64s(ends), builder.int64s([2, 3])]);
}

/** Each window's gradient, divided by what the mean divided by, spread evenly over the window. */
export const averagePool: GradRule = (context, dy) => {
  if (context.builder.shape(dy).length === 3) return asPlane(context, dy, averagePool);
  const { builder, node } = context;
  const x = context.x(0);
  const window = windowOfPool(context, x);
  const [n, c, ...inner] = builder.shape(x) as [number, number, number, number];
  const outer = builder.shape(dy).slice(2);
  const uneven = window.strides.some((stride, i) => {
    const { kernel, dilations, padsBegin, padsEnd } = window;
    const room = inner[i]! + padsBegin[i]! + padsEnd[i]! - (kernel[i]! - 1) * dilations[i]! - 1;
    return room % stride !== 0;
  });
  if (window.ceilMode && uneven) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: ceil_mode with a partial last window has no gradient`,
    );
  }
  const includePad = intAttribute(node, "count_include_pad", 0) !== 0;
  const [rows, columns] = [0, 1].map((axis) => divisors(window, axis, inner, outer, includePad));
  const shares = rows!.flatMap((row) => columns!.map((column) => 1 / (row * column)));
  const even = shares.every((share) => share === shares[0]);
  const factor = even ? builder.float(shares[0]!) : builder.floats([1, 1, ...outer], shares);
  const scaled = builder.op("Mul", [dy, factor]);
  return [spreadOver(builder, scaled, window, [n, c, ...inner])];
};

/** Every element of a window gets what the window has; overlaps add up. */
function spreadOver(builder: GraphBuilder, value: string, window: Window, shape: readonly number[]): string {
  const [n, c, ...inner] = shape as [number, number, ...number[]];
  const taps = window.kernel.reduce((product, size) => product * size, 1);
  const ones = builder.floats(
    [1, 1, ...window.kernel],
    Array.from({ length: taps }, () => 1),
  );
  const planes = builder.reshape(value, [n * c, 1, ...builder.shape(value).slice(2)]);
  const spread = builder.op("ConvTranspose", [planes, ones], transposedWindow(window, inner));
  return builder.reshape(spread, shape);
}

// y = (sum |x|^p)^(1/p): dy·(|x|/y)^(p-1)·sign(x), and zero where the whole window is zero
export const lpPool: GradRule = (context, dy) => {
  const { builder, node } = context;
  if (builder.shape(dy).length === 3) return asPlane(context, dy, lpPool);
  const calc = calculator(builder);
  const x = context.x(0);
  const window = windowOfPool(context, x);
  if (window.ceilMode) {
    throw failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: ceil_mode has no gradient`);
  }
  const p = intAttribute(node, "p", 2);
  const y = calc.where(calc.greater(context.y(0), 0), context.y(0), 1);
  const share = p === 1 ? dy : calc.mul(dy, calc.pow(y, 1 - p));
  const spread = spreadOver(builder, share, window, builder.shape(x));
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
