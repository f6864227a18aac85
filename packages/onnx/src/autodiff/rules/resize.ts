import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { UNKNOWN } from "../../ir/fact.ts";
import type { Node } from "../../ir/model.ts";
import { resizedAxes } from "../../ir/resize.ts";
import type { GradRule } from "../rule.ts";
import { alongAxis } from "./axis-map.ts";

/** One axis of a Resize: from `size` elements to `to`, `scale` times as many before rounding. */
interface Axis {
  readonly size: number;
  readonly to: number;
  readonly scale: number;
}

/** Nearest and linear interpolation take every axis by itself: the transposed map along each axis that changes. */
export const resize: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const sizes = builder.shape(dy);
  const mode = textAttribute(node, "mode", "nearest");
  if (mode !== "nearest" && mode !== "linear") throw unsupported(node, `mode "${mode}"`);
  if (intAttribute(node, "antialias", 0) !== 0) throw unsupported(node, "antialias 1");
  const facts = node.inputs.map((name) => builder.fact(name) ?? UNKNOWN);
  let result = dy;
  for (const [i, { scale }] of resizedAxes(node, shape, facts).entries()) {
    if (scale === 1) continue;
    if (scale === undefined) {
      throw failure(
        "onnx/unknown-shape",
        `onnx: ${nodeLabel(node)}: its scales or sizes must be constants to be differentiated`,
      );
    }
    const axis: Axis = { size: shape[i]!, to: sizes[i]!, scale };
    const place = placeOf(node, axis);
    const weights = (index: number): [number, number][] =>
      mode === "nearest" ? [[nearest(node, place(index), axis.size), 1]] : linear(place(index), axis.size);
    result = alongAxis(builder, result, i, axis.size, weights);
  }
  return [result];
};

/**
 * From an index of the result to a place among the elements, as coordinate_transformation_mode says, in the float32
 * steps of onnxruntime: which neighbour is nearest hangs on their rounding.
 */
function placeOf(node: Node, { size, to, scale }: Axis): (index: number) => number {
  const mode = textAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const halfPixel = (index: number): number => Math.fround(Math.fround((index + 0.5) / scale) - 0.5);
  switch (mode) {
    case "half_pixel":
      return halfPixel;
    case "pytorch_half_pixel":
      return (index) => (to > 1 ? halfPixel(index) : 0);
    case "half_pixel_symmetric": {
      const adjustment = Math.fround(to / Math.fround(scale * size));
      const offset = Math.fround((size / 2) * Math.fround(1 - adjustment));
      return (index) => Math.fround(Math.fround(offset + Math.fround((index + 0.5) / scale)) - 0.5);
    }
    case "asymmetric":
      return (index) => Math.fround(index / scale);
    case "align_corners":
      return (index) => (to > 1 ? Math.fround((index * (size - 1)) / (to - 1)) : 0);
    default:
      throw unsupported(node, `coordinate_transformation_mode "${mode}"`);
  }
}

function nearest(node: Node, place: number, size: number): number {
  const mode = textAttribute(node, "nearest_mode", "round_prefer_floor");
  const rounded =
    mode === "floor"
      ? Math.floor(place)
      : mode === "ceil"
        ? Math.ceil(place)
        : mode === "round_prefer_ceil"
          ? Math.floor(place + 0.5)
          : Math.ceil(place - 0.5);
  return Math.min(Math.max(rounded, 0), size - 1);
}

function linear(place: number, size: number): [number, number][] {
  const low = Math.floor(place);
  const within = (index: number): number => Math.min(Math.max(index, 0), size - 1);
  return [
    [within(low), 1 - (place - low)],
    [within(low + 1), place - low],
  ];
}

function unsupported(node: Node, what: string): Error {
  return failure(
    "onnx/no-gradient",
    `onnx: ${nodeLabel(node)}: ${what} has no gradient; resize by nearest or linear interpolation without antialiasing`,
  );
}
