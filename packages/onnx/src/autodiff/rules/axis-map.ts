import type { GraphBuilder } from "../../ir/graph-builder.ts";
import { failure } from "@tributary/core";

/** Largest constant matrix that is put into a graph. */
const MAX_ELEMENTS = 2 ** 22;

/**
 * The transpose of a linear map along one axis, as a product with a constant matrix: `weights(i)` lists
 * from which elements, of `size`, the i-th element of the forward result was made, and by which factors.
 */
export function alongAxis(
  builder: GraphBuilder,
  gradient: string,
  axis: number,
  size: number,
  weights: (index: number) => readonly (readonly [number, number])[],
): string {
  const shape = builder.shape(gradient);
  const from = shape[axis]!;
  if (from * size > MAX_ELEMENTS) {
    throw failure("onnx/no-gradient", `onnx: a gradient along an axis from ${from} to ${size} is too large`);
  }
  const matrix = Array.from({ length: from * size }, () => 0);
  for (let i = 0; i < from; i += 1) {
    for (const [source, factor] of weights(i)) matrix[i * size + source]! += factor;
  }
  const constant = builder.floats([from, size], matrix);
  const rank = shape.length;
  const rows = shape.reduce((product, dim) => product * dim, 1) / from;
  // The axis goes last, and back.
  const perm = [...shape.keys()].filter((i) => i !== axis).concat(axis);
  const inverse = perm.map((_, i) => perm.indexOf(i));
  const moved = axis === rank - 1 ? gradient : builder.op("Transpose", [gradient], { perm });
  const flat = builder.op("Gemm", [builder.reshape(moved, [rows, from]), constant]);
  const result = builder.reshape(flat, [...perm.slice(0, -1).map((i) => shape[i]!), size]);
  return axis === rank - 1 ? result : builder.op("Transpose", [result], { perm: inverse });
}
