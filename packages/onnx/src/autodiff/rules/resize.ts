import { failure } from "@tributary/core";
import { nodeLabel, textAttribute } from "../../ir/attributes.ts";
import type { Node } from "../../ir/model.ts";
import type { GradRule } from "../rule.ts";
import { alongAxis } from "./axis-map.ts";

/**
 * Nearest and linear interpolation take every axis by itself: the transposed map along each axis that
 * changes. The result's sizes are known, and with them the scales.
 */
export const resize: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const sizes = builder.shape(dy);
  const mode = textAttribute(node, "mode", "nearest");
  if (mode === "cubic" || node.attributes.has("antialias") || node.attributes.has("axes")) {
    throw unsupported(node, `mode "${mode}" with its attributes`);
  }
  let result = dy;
  for (const [axis, size] of shape.entries()) {
    const to = sizes[axis]!;
    if (to === size) continue;
    const place = placeOf(node, size, to);
    const weights = (index: number): [number, number][] =>
      mode === "nearest" ? [[nearest(node, place(index), size), 1]] : linear(place(index), size);
    result = alongAxis(builder, result, axis, size, weights);
  }
  return [result];
};

/** From an index of the result to a place among the elements, as coordinate_transformation_mode says. */
function placeOf(node: Node, size: number, to: number): (index: number) => number {
  const mode = textAttribute(node, "coordinate_transformation_mode", "half_pixel");
  switch (mode) {
    case "half_pixel":
      return (index) => ((index + 0.5) * size) / to - 0.5;
    case "pytorch_half_pixel":
      return (index) => (to > 1 ? ((index + 0.5) * size) / to - 0.5 : 0);
    case "asymmetric":
      return (index) => (index * size) / to;
    case "align_corners":
      return (index) => (to > 1 ? (index * (size - 1)) / (to - 1) : 0);
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
  return failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: ${what} has no gradient`);
}
