import { failure } from "@tributary/core";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";

/** Pads all axes behind the first two; the value as it is where there is nothing to pad. */
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

/** For each tap of a window, row by row, the elements of an already padded value that it meets. */
export function tapSlices(
  builder: GraphBuilder,
  padded: string,
  window: Window,
  outer: readonly number[],
): string[] {
  const { kernel, strides, dilations } = window;
  const count = kernel.reduce((product, size) => product * size, 1);
  if (count > MAX_TAPS) {
    throw failure(
      "onnx/no-gradient",
      `onnx: a window of ${kernel.join("x")}; at most ${MAX_TAPS} taps are differentiated`,
    );
  }
  const axes = builder.int64s(kernel.map((_, i) => i + 2));
  const steps = builder.int64s(strides);
  return Array.from({ length: count }, (_, tap) => {
    let rest = tap;
    const at = kernel
      .toReversed()
      .map((size) => {
        const index = rest % size;
        rest = Math.floor(rest / size);
        return index;
      })
      .toReversed();
    const starts = at.map((index, i) => index * dilations[i]!);
    const ends = starts.map((start, i) => start + (outer[i]! - 1) * strides[i]! + 1);
    return builder.op("Slice", [padded, builder.int64s(starts), builder.int64s(ends), axes, steps]);
  });
}
