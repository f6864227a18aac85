import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { ConvGeometry } from "./conv.ts";
import { padded, reversed, spaced } from "./moving.ts";
import { padSpatial, tapSlices } from "./taps.ts";

/** dX of a depthwise convolution: a depthwise convolution of dY, spread by the strides, with the kernel turned. */
export function depthwiseInput(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { w, dy, window, group, inner } = geometry;
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
  const around = padded(builder, spread, [0, 0, ...begin], [0, 0, ...end]);
  const turned = kernel.reduce((value, size, i) => (size > 1 ? reversed(builder, value, i + 2) : value), w);
  return builder.op("Conv", [around, turned], { kernel_shape: kernel, dilations, group });
}

/** dW of a depthwise convolution: for each tap the sum, over images and places, of dY times what it met. */
export function depthwiseKernel(builder: GraphBuilder, geometry: ConvGeometry): string {
  const { x, w, dy, window, group, outer } = geometry;
  const around = padSpatial(builder, x, window.padsBegin, window.padsEnd);
  const sums = tapSlices(builder, around, window, outer).map((tap) => {
    const met = builder.op("Mul", [tap, dy]);
    return builder.reshape(builder.reduceSum(met, [0, 2, 3], false), [group, 1]);
  });
  const all = sums.length === 1 ? sums[0]! : builder.op("Concat", sums, { axis: 1 });
  return builder.reshape(all, builder.shape(w));
}
