import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { ConvGeometry } from "./conv.ts";
import { padded, reversed, spaced } from "./moving.ts";
import { padSpatial, tapSlices } from "./taps.ts";

/** dX of a depthwise convolution: a depthwise convolution of dY, spread by the strides, with the kernel turned. */
export function depthwiseInput(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { window, group } = geometry;
  const attributes = { kernel_shape: window.kernel, dilations: window.dilations, group };
  return builder.op("Conv", [spreadGradient(builder, geometry), turnedKernel(builder, geometry)], attributes);
}

/** The kernel from its other end along every spatial axis. */
export function turnedKernel(builder: GraphBuilder, { w, window }: ConvGeometry): string {
  return window.kernel.reduce((value, size, i) => (size > 1 ? reversed(builder, value, i + 2) : value), w);
}

/** dY with zeros between for the strides and around, so that a convolution of stride 1 gives the input's sizes. */
export function spreadGradient(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { dy, window, inner } = geometry;
  const { kernel, strides, dilations, padsBegin } = window;
  let spread = dy;
  for (const [i, stride] of strides.entries()) {
    if (stride > 1) spread = spaced(builder, spread, i + 2, stride);
  }
  const begin = kernel.map((size, i) => (size - 1) * dilations[i]! - padsBegin[i]!);
  const end = inner.map((size, i) => {
    const reach = (kernel[i]! - 1) * dilations[i]!;
    return size + reach - begin[i]! - builder.shape(spread)[i + 2]!;
  });
  return padded(builder, spread, [0, 0, ...begin], [0, 0, ...end]);
}

/** dW of a depthwise convolution: for each tap the sum, over images and places, of dY times what it met. */
export function depthwiseKernel(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, group, outer } = geometry;
  const around = padSpatial(builder, x, window.padsBegin, window.padsEnd);
  const sums = tapSlices(builder, around, window, outer).map((tap) => {
    const met = builder.op("Mul", [tap, dy]);
    return builder.reshape(builder.reduceSum(met, [0, ...outer.map((_, i) => i + 2)], false), [group, 1]);
  });
  const all = sums.length === 1 ? sums[0]! : builder.op("Concat", sums, { axis: 1 });
  return builder.reshape(all, builder.shape(w));
}
