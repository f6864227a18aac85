import { failure } from "@tributary/core";
import { intAttribute } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";
import { windowOf } from "../../ir/window.ts";
import type { GradRule, GraphTarget } from "../rule.ts";
import { depthwiseInput, depthwiseKernel, spreadGradient, turnedKernel } from "./depthwise.ts";
import { asPlane } from "./plane.ts";
import { parts } from "./parts.ts";
import { padSpatial, tapSlices } from "./taps.ts";
import { appendConv } from "./whole-vectors.ts";

/** Everything the formulations below share about one convolution. */
export interface ConvGeometry {
  readonly x: string;
  readonly w: string;
  readonly dy: string;
  readonly window: Window;
  readonly group: number;
  /** Spatial sizes of the input and of the output. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

export const conv: GradRule = (context, dy) => {
  const { builder, node, target } = context;
  // The GPU's formulation is for planes.
  if (target === "webgpu" && builder.shape(dy).length === 3) return asPlane(context, dy, conv);
  const [x, w] = [context.x(0), context.x(1)];
  const inner = builder.shape(x).slice(2);
  const geometry: ConvGeometry = {
    x,
    w,
    dy,
    window: windowOf(node, builder.shape(w).slice(2), inner),
    group: intAttribute(node, "group", 1),
    inner,
    outer: builder.shape(dy).slice(2),
  };
  const spatialAxes = inner.map((_, i) => i + 2);
  return [
    context.needs(0) ? inputGradient(builder, geometry, target) : undefined,
    context.needs(1) ? kernelGradient(builder, geometry, target) : undefined,
    context.needs(2) ? builder.reduceSum(dy, [0, ...spatialAxes], false) : undefined,
  ];
};

/** Groups are taken one by one where the target has no right kernel for them. */
const MAX_GROUPS = 64;

/** dW in the formulation that the target computes right. */
export function kernelGradient(builder: GraphBuilder, geometry: ConvGeometry, target: GraphTarget): string {
  if (target === "cpu") {
    const volume = geometry.inner.length === 2 && builder.shape(geometry.w)[1]! > 1;
    return volume ? kernelByVolume(builder, geometry) : kernelByConv(builder, geometry);
  }
  if (geometry.group === 1) return kernelByGemm(builder, geometry);
  if (isDepthwise(builder, geometry)) return depthwiseKernel(builder, geometry);
  const gradients = groupsOf(builder, geometry).map((part) => kernelByGemm(builder, part));
  return builder.op("Concat", gradients, { axis: 0 });
}

/** dX: the transposed convolution; WebGPU's is wrong for some groups. */
function inputGradient(builder: GraphBuilder, geometry: ConvGeometry, target: GraphTarget): string {
  if (target === "cpu") return transposed(builder, geometry);
  if (geometry.group === 1) return transposedOne(builder, geometry, target);
  // Its Conv knows no groups over three axes.
  if (geometry.inner.length < 3 && isDepthwise(builder, geometry)) return depthwiseInput(builder, geometry);
  const gradients = groupsOf(builder, geometry).map((part) => transposedOne(builder, part, target));
  return builder.op("Concat", gradients, { axis: 1 });
}

function isDepthwise(builder: GraphBuilder, { w, group }: ConvGeometry): boolean {
  const [outputs, perGroup] = builder.shape(w);
  return perGroup === 1 && outputs === group;
}

/** The convolution of each group alone. */
export function groupsOf(builder: GraphBuilder, geometry: ConvGeometry): ConvGeometry[] {
  const { group } = geometry;
  if (group > MAX_GROUPS) {
    throw failure(
      "onnx/no-gradient",
      `onnx: a convolution of ${group} groups; on "webgpu" at most ${MAX_GROUPS} are trained`,
    );
  }
  const apart = (value: string, axis: number): string[] => parts(builder, value, axis, group, "webgpu");
  const [xs, ws, ds] = [apart(geometry.x, 1), apart(geometry.w, 0), apart(geometry.dy, 1)];
  return xs.map((x, i) => ({ ...geometry, x, w: ws[i]!, dy: ds[i]!, group: 1 }));
}

/** What the strides left over at the end is output padding. */
function transposed(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { w, dy, window, group, inner } = geometry;
  return builder.op("ConvTranspose", [dy, w], {
    ...transposedWindow(window, inner),
    ...(group === 1 ? {} : { group }),
  });
}

/** dX of one group; WebGPU's ConvTranspose knows no third axis. */
export function transposedOne(builder: GraphBuilder, geometry: ConvGeometry, target: GraphTarget): string {
  const byConv = target === "webgpu" && geometry.inner.length > 2;
  return byConv ? transposedByConv(builder, geometry) : transposed(builder, geometry);
}

/** The same as an ordinary convolution: of the gradient, spread out, with the kernel turned and its channels exchanged. */
export function transposedByConv(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { kernel, dilations } = geometry.window;
  const perm = [1, 0, ...kernel.map((_, i) => i + 2)];
  const turned = builder.op("Transpose", [turnedKernel(builder, geometry)], { perm });
  const operands = [spreadGradient(builder, geometry), turned] as const;
  return appendConv(builder, operands, { kernel_shape: kernel, dilations }, 1, "webgpu");
}

/** Attributes of the ConvTranspose that undoes a window over `inner` sizes. */
function transposedWindow(
  window: Window,
  inner: readonly number[],
): Record<"kernel_shape" | "strides" | "dilations" | "pads" | "output_padding", readonly number[]> {
  const { kernel, strides, dilations, padsBegin, padsEnd } = window;
  const left = inner.map((size, i) => {
    const room = size + padsBegin[i]! + padsEnd[i]! - (kernel[i]! - 1) * dilations[i]! - 1;
    return room % strides[i]!;
  });
  return {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...padsBegin, ...padsEnd],
    output_padding: left,
  };
}

/**
 * dW as a convolution of X with dY in which batch and channels change places, and strides and
 * dilations too. Least memory; wrong on WebGPU when the batch size meets onnxruntime issue 29651.
 */
function kernelByConv(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, group } = geometry;
  const [n, c, ...inner] = builder.shape(x) as [number, number, ...number[]];
  const [m, perGroup, ...kernel] = builder.shape(w) as [number, number, ...number[]];
  const spatial = kernel.map((_, i) => i + 2);
  const swap = [1, 0, ...spatial];
  let images = x;
  if (group > 1) {
    // [N, G·Cg, …] -> [Cg, G·N, …]
    const split = builder.reshape(x, [n, group, c / group, ...inner]);
    const moved = builder.op("Transpose", [split], { perm: [2, 1, 0, ...spatial.map((i) => i + 1)] });
    images = builder.reshape(moved, [perGroup, group * n, ...inner]);
  } else {
    images = builder.op("Transpose", [x], { perm: swap });
  }
  const filters = builder.op("Transpose", [dy], { perm: swap });
  const result = builder.op("Conv", [images, filters], {
    kernel_shape: geometry.outer,
    strides: window.dilations,
    dilations: window.strides,
    pads: [...window.padsBegin, ...window.padsEnd],
    ...(group === 1 ? {} : { group }),
  });
  return builder.reshape(builder.op("Transpose", [cropTaps(builder, result, kernel)], { perm: swap }), [
    m,
    perGroup,
    ...kernel,
  ]);
}

/**
 * The same for planes of several channels, which become a third axis that the filters do not reach along: X is one volume
 * [1, G·N, Cg, h, w], dY filters [G·Mg, N, 1, h', w'], the result [1, G·Mg, Cg, kh, kw]. onnxruntime then multiplies one
 * matrix of Cg·kh·kw columns, not one of kh·kw columns, rounded up to whole vectors, per channel.
 */
function kernelByVolume(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, group, outer } = geometry;
  const [n, c, height, width] = builder.shape(x) as [number, number, number, number];
  const [m, perGroup, ...kernel] = builder.shape(w) as [number, number, number, number];
  const grouped = [n, group, perGroup, height, width];
  const examples =
    group === 1 ? x : builder.op("Transpose", [builder.reshape(x, grouped)], { perm: [1, 0, 2, 3, 4] });
  const volume = builder.reshape(examples, [1, group * n, c / group, height, width]);
  const filters = builder.op("Transpose", [dy], { perm: [1, 0, 2, 3] });
  const result = builder.op("Conv", [volume, builder.reshape(filters, [m, n, 1, ...outer])], {
    kernel_shape: [1, ...outer],
    strides: [1, ...window.dilations],
    dilations: [1, ...window.strides],
    pads: [0, ...window.padsBegin, 0, ...window.padsEnd],
    ...(group === 1 ? {} : { group }),
  });
  return builder.reshape(cropTaps(builder, result, kernel), [m, perGroup, ...kernel]);
}

/** With strides, rows at the end that no window reached would look like further taps. */
function cropTaps(builder: GraphBuilder, taps: string, kernel: readonly number[]): string {
  const shape = builder.shape(taps);
  const axes = kernel.map((_, i) => shape.length - kernel.length + i);
  if (axes.every((axis, i) => shape[axis] === kernel[i])) return taps;
  const starts = builder.int64s(kernel.map(() => 0));
  return builder.op("Slice", [taps, starts, builder.int64s(kernel), builder.int64s(axes)]);
}

/** dW as one matrix product: dY [M, positions] times the input seen by each tap [taps·C, positions]. */
function kernelByGemm(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, outer } = geometry;
  const [n, c] = builder.shape(x) as [number, number];
  const [m, , ...kernel] = builder.shape(w) as [number, number, ...number[]];
  const spatial = kernel.map((_, i) => i + 2);
  const channelsFirst = builder.op("Transpose", [x], { perm: [1, 0, ...spatial] });
  const padded = padSpatial(builder, channelsFirst, window.padsBegin, window.padsEnd);
  const taps = tapSlices(builder, padded, window, outer);
  const columns = taps.length === 1 ? taps[0]! : builder.op("Concat", taps, { axis: 0 });
  const positions = outer.reduce((product, size) => product * size, n);
  const gradient = builder.op("Transpose", [dy], { perm: [1, 0, ...spatial] });
  const flat = builder.op(
    "Gemm",
    [builder.reshape(gradient, [m, positions]), builder.reshape(columns, [taps.length * c, positions])],
    { transB: 1 },
  );
  const byTap = builder.reshape(flat, [m, ...kernel, c]);
  return builder.op("Transpose", [byTap], { perm: [0, kernel.length + 1, ...kernel.map((_, i) => i + 1)] });
}
