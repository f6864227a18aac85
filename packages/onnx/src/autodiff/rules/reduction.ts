import { intAttribute, intsAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GradContext, GradRule } from "../rule.ts";

/** The gradient spread over the reduced axes, times `factor(number of summed elements)`. */
function spread(context: GradContext, dy: string, factor: (count: number) => number): string {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const listed = intsAttribute(node, "axes") ?? (builder.fact(context.x(1))?.values as number[] | undefined);
  const noop = intAttribute(node, "noop_with_empty_axes", 0) !== 0;
  const axes =
    listed === undefined || listed.length === 0
      ? noop
        ? []
        : [...shape.keys()]
      : listed.map((axis) => normalAxis(nodeLabel(node), axis, shape.length));
  const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
  const scale = factor(count);
  const scaled = scale === 1 ? dy : builder.op("Mul", [dy, builder.float(scale)]);
  return builder.op("Expand", [builder.reshape(scaled, kept), builder.int64s(shape)]);
}

export const reduceSum: GradRule = (context, dy) => [spread(context, dy, () => 1)];

export const reduceMean: GradRule = (context, dy) => [spread(context, dy, (count) => 1 / count)];

/** The mean over all spatial axes. */
export const globalAveragePool: GradRule = (context, dy) => {
  const { builder } = context;
  const shape = builder.shape(context.x(0));
  const count = shape.slice(2).reduce((product, dim) => product * dim, 1);
  const scaled = builder.op("Mul", [dy, builder.float(1 / count)]);
  return [builder.op("Expand", [scaled, builder.int64s(shape)])];
};
