import { failure } from "@tributary/core";
import { intAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { calculator } from "./calculator.ts";

/** Smallest and largest integer of the types that values are quantized to. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int4: [-8, 7],
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  uint4: [0, 15],
  uint8: [0, 255],
  uint16: [0, 65_535],
};

/** A scale or zero point in the shape that meets the quantized value: one number, or one per place along `axis`. */
function along(context: GradContext, name: string): string {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const given = builder.shape(name);
  if (given.every((size) => size === 1)) return builder.reshape(name, []);
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 1), shape.length);
  if (given.length !== 1 || given[0] !== shape[axis]) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: scales in blocks have no gradient; quantize per tensor or per axis`,
    );
  }
  return builder.reshape(
    name,
    shape.map((size, i) => (i === axis ? size : 1)),
  );
}

/**
 * Straight-through estimate (Bengio et al. 2013): rounding counts as the identity, and what is cut off at the ends of
 * the range has no gradient. The integers' gradient is float32; behind them DequantizeLinear multiplies it by the scale.
 */
export const quantizeLinear: GradRule = (context, dy) => {
  const { builder, node } = context;
  const calc = calculator(builder);
  const range = RANGES[builder.fact(context.y(0))?.elementType ?? ""];
  if (range === undefined) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: only integer types have a gradient; quantize to int8 or uint8`,
    );
  }
  const scale = along(context, context.x(1));
  const steps = calc.div(context.x(0), scale);
  const zero = context.x(2);
  const place = zero === "" ? steps : calc.add(steps, along(context, builder.op("Cast", [zero], { to: 1 })));
  // Half a step beyond the ends still rounds to them.
  return [calc.between(place, range[0] - 0.5, range[1] + 0.5, calc.div(dy, scale))];
};

export const dequantizeLinear: GradRule = (context, dy) => [
  calculator(context.builder).mul(dy, along(context, context.x(1))),
];
