import { failure } from "@tributary/core";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Window } from "../../ir/window.ts";

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
