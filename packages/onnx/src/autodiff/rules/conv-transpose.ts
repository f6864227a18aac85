import { intAttribute } from "../../ir/attributes.ts";
import { transposedWindowOf } from "../../ir/window.ts";
import type { GradRule } from "../rule.ts";
import { kernelGradient, type ConvGeometry } from "./conv.ts";
import { asPlane } from "./plane.ts";
import { appendConv } from "./whole-vectors.ts";

/** The mirror image of a convolution: x takes the place of its gradient, dy that of its input. */
export const convTranspose: GradRule = (context, dy) => {
  const { builder, node, target } = context;
  // The GPU's formulation is for planes.
  if (target === "webgpu" && builder.shape(dy).length === 3) return asPlane(context, dy, convTranspose);
  const [x, w] = [context.x(0), context.x(1)];
  const kernel = builder.shape(w).slice(2);
  const outer = builder.shape(x).slice(2);
  const inner = builder.shape(dy).slice(2);
  const group = intAttribute(node, "group", 1);
  const { window } = transposedWindowOf(node, kernel, outer);
  const geometry: ConvGeometry = { x: dy, w, dy: x, window, group, inner, outer };
  const dx = (): string => {
    const attributes = {
      kernel_shape: kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads: [...window.padsBegin, ...window.padsEnd],
    };
    return appendConv(builder, [dy, w], attributes, group, target);
  };
  const spatialAxes = inner.map((_, i) => i + 2);
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? kernelGradient(builder, geometry, target) : undefined,
    context.needs(2) ? builder.reduceSum(dy, [0, ...spatialAxes], false) : undefined,
  ];
};
