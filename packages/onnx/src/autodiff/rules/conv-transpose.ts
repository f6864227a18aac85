import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { windowOf } from "../../ir/window.ts";
import type { GradRule } from "../rule.ts";
import { kernelGradient, type ConvGeometry } from "./conv.ts";

/** The mirror image of a convolution: x takes the place of its gradient, dy that of its input. */
export const convTranspose: GradRule = (context, dy) => {
  const { builder, node, target } = context;
  const [x, w] = [context.x(0), context.x(1)];
  const kernel = builder.shape(w).slice(2);
  const inner = builder.shape(dy).slice(2);
  if (node.attributes.has("output_shape") || textAttribute(node, "auto_pad", "NOTSET") !== "NOTSET") {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: output_shape and auto_pad have no gradient; export with pads`,
    );
  }
  const group = intAttribute(node, "group", 1);
  if (target === "webgpu" && (group > 1 || inner.length !== 2)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: grouped and non-2-D convolutions are only trained on the CPU so far; build for target "cpu"`,
    );
  }
  const window = windowOf(node, kernel, inner);
  const geometry: ConvGeometry = {
    x: dy,
    w,
    dy: x,
    window,
    group,
    inner,
    outer: builder.shape(x).slice(2),
  };
  const dx = (): string =>
    builder.op("Conv", [dy, w], {
      kernel_shape: kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads: [...window.padsBegin, ...window.padsEnd],
      ...(group === 1 ? {} : { group }),
    });
  const spatialAxes = inner.map((_, i) => i + 2);
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? kernelGradient(builder, geometry, target) : undefined,
    context.needs(2) ? builder.reduceSum(dy, [0, ...spatialAxes], false) : undefined,
  ];
};
