import { failure } from "@tributary/core";
import { intAttribute, nodeLabel } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";
import { windowOf } from "../../ir/window.ts";
import type { GradRule, GraphTarget } from "../rule.ts";
import { asPlane } from "./plane.ts";

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
  if (target === "webgpu" && (geometry.group > 1 || inner.length !== 2)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: grouped and 3-D convolutions are only trained on the CPU so far; build for target "cpu"`,
    );
  }
  const spatialAxes = inner.map((_, i) => i + 2);
  return [
    context.needs(0) ? inputGradient(builder, geometry) : undefined,
    context.needs(1) ? kernelGradient(builder, geometry, target) : undefined,
    context.needs(2) ? builder.reduceSum(dy, [0, ...spatialAxes], false) : undefined,
  ];
};

/** dW in the formulation that the target computes right. */
export function kernelGradient(builder: GraphBuilder, geometry: ConvGeometry, target: GraphTarget): string {
  return target === "webgpu" ? kernelByGemm(builder, geometry) : kernelByConv(builder, geometry);
}

/** dX: the transposed convolution; what the strides left over at the end is output padding. */
function inputGradient(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { w, dy, window, group, inner } = geometry;
  return builder.op("ConvTranspose", [dy, w], {
    ...transposedWindow(window, inner),
    ...(group === 1 ? {} : { group }),
  });
}

/** Attributes of the ConvTranspose that undoes a window over `inner` sizes. */
export function transposedWindow(
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
  let result = builder.op("Conv", [images, filters], {
    kernel_shape: geometry.outer,
    strides: window.dilations,
    dilations: window.strides,
    pads: [...window.padsBegin, ...window.padsEnd],
    ...(group === 1 ? {} : { group }),
  });
  // With strides, rows at the end that no window reached would look like further taps.
  if (builder.shape(result).some((size, i) => i >= 2 && size !== kernel[i - 2])) {
    result = builder.op("Slice", [
      result,
      builder.int64s(kernel.map(() => 0)),
      builder.int64s(kernel),
      builder.int64s(spatial),
    ]);
  }
  return builder.reshape(builder.op("Transpose", [result], { perm: swap }), [m, perGroup, ...kernel]);
}

/** dW as one matrix product: dY [M, N·h·w] times the input seen by each tap [taps·C, N·h·w]. */
function kernelByGemm(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, outer } = geometry;
  const [n, c] = builder.shape(x) as [number, number];
  const [m, , kh, kw] = builder.shape(w) as [number, number, number, number];
  const [h, width] = outer as [number, number];
  const channelsFirst = builder.op("Transpose", [x], { perm: [1, 0, 2, 3] });
  const padded = padSpatial(builder, channelsFirst, window.padsBegin, window.padsEnd);
  const taps = tapSlices(builder, padded, window, outer);
  const columns = taps.length === 1 ? taps[0]! : builder.op("Concat", taps, { axis: 0 });
  const positions = n * h * width;
  const gradient = builder.op("Transpose", [dy], { perm: [1, 0, 2, 3] });
  const flat = builder.op(
    "Gemm",
    [builder.reshape(gradient, [m, positions]), builder.reshape(columns, [kh * kw * c, positions])],
    { transB: 1 },
  );
  const byTap = builder.reshape(flat, [m, kh, kw, c]);
  return builder.op("Transpose", [byTap], { perm: [0, 3, 1, 2] });
}

/** Pads the two last axes; the value as it is where there is nothing to pad. */
export function padSpatial(
  builder: GraphBuilder,
  value: string,
  begin: readonly number[],
  end: readonly number[],
  fill = 0,
): string {
  if ([...begin, ...end].every((pad) => pad === 0)) return value;
  const pads = builder.int64s([0, 0, ...begin, 0, 0, ...end]);
  return builder.op("Pad", [value, pads, builder.float(fill)]);
}

/** Each tap costs nodes, so windows end somewhere. */
const MAX_TAPS = 1024;

/** For each tap of a 2-D window, row by row, the elements of an already padded value that it meets. */
export function tapSlices(
  builder: GraphBuilder,
  padded: string,
  window: Window,
  outer: readonly number[],
): string[] {
  const [kh, kw] = window.kernel as [number, number];
  if (kh * kw > MAX_TAPS) {
    throw failure(
      "onnx/no-gradient",
      `onnx: a window of ${kh}x${kw}; at most ${MAX_TAPS} taps are differentiated`,
    );
  }
  const axes = builder.int64s([2, 3]);
  const steps = builder.int64s(window.strides);
  const taps: string[] = [];
  for (let i = 0; i < kh; i += 1) {
    for (let j = 0; j < kw; j += 1) {
      const starts = [i * window.dilations[0]!, j * window.dilations[1]!];
      const ends = starts.map((start, axis) => start + (outer[axis]! - 1) * window.strides[axis]! + 1);
      taps.push(builder.op("Slice", [padded, builder.int64s(starts), builder.int64s(ends), axes, steps]));
    }
  }
  return taps;
}
