import { intAttribute, intsAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";

/** Flatten, Reshape, Squeeze, Unsqueeze: the same elements in another shape. */
export const reshaped: GradRule = (context, dy) => [
  context.builder.reshape(dy, context.builder.shape(context.x(0))),
];

export const transpose: GradRule = (context, dy) => {
  const { builder, node } = context;
  const rank = builder.shape(context.x(0)).length;
  const perm = intsAttribute(node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = perm.map((_, i) => perm.indexOf(i));
  return [builder.op("Transpose", [dy], { perm: inverse })];
};

export const concat: GradRule = (context, dy) => {
  const { builder, node } = context;
  const rank = builder.shape(dy).length;
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), rank);
  let start = 0;
  return node.inputs.map((name, i) => {
    const from = start;
    start += builder.shape(name)[axis]!;
    if (!context.needs(i)) return undefined;
    const bounds = [[from], [start], [axis]].map((list) => builder.int64s(list));
    return builder.op("Slice", [dy, ...bounds]);
  });
};

export const expand: GradRule = (context, dy) => [
  unbroadcast(context.builder, dy, context.builder.shape(context.x(0))),
];
