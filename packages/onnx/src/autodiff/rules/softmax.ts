import { intAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GradContext, GradRule } from "../rule.ts";

function axisOf({ node, builder }: GradContext, dy: string): number {
  return normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), builder.shape(dy).length);
}

// dx = y * (dy - sum(dy*y))
export const softmax: GradRule = (context, dy) => {
  const { builder } = context;
  const y = context.y(0);
  const inner = builder.reduceSum(builder.op("Mul", [dy, y]), [axisOf(context, dy)], true);
  return [builder.op("Mul", [y, builder.op("Sub", [dy, inner])])];
};

// dx = dy - exp(y) * sum(dy)
export const logSoftmax: GradRule = (context, dy) => {
  const { builder } = context;
  const total = builder.reduceSum(dy, [axisOf(context, dy)], true);
  const share = builder.op("Mul", [builder.op("Exp", [context.y(0)]), total]);
  return [builder.op("Sub", [dy, share])];
};
