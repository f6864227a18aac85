import { intsAttribute } from "../../ir/attributes.ts";
import type { Attribute, Node } from "../../ir/model.ts";
import type { GradContext, GradRule } from "../rule.ts";

/** A window over one spatial axis, treated as one over two of which the first has size 1. */
export function asPlane(context: GradContext, dy: string, rule: GradRule): readonly (string | undefined)[] {
  const { builder, node } = context;
  const plane = (value: string): string => {
    const shape = value === "" ? [] : builder.shape(value);
    return shape.length === 3 ? builder.reshape(value, [shape[0]!, shape[1]!, 1, shape[2]!]) : value;
  };
  const inner: GradContext = {
    ...context,
    builder,
    node: planeNode(node),
    x: (index) => plane(context.x(index)),
    y: (index) => plane(context.y(index)),
  };
  return rule(inner, plane(dy)).map((gradient, i) =>
    gradient === undefined ? undefined : builder.reshape(gradient, builder.shape(context.x(i))),
  );
}

/** What the added axis has for each attribute of a window. */
const NEUTRAL: Readonly<Record<string, number>> = {
  kernel_shape: 1,
  strides: 1,
  dilations: 1,
  pads: 0,
  output_padding: 0,
  output_shape: 1,
};

function planeNode(node: Node): Node {
  const attributes = new Map(node.attributes);
  for (const [name, neutral] of Object.entries(NEUTRAL)) {
    const values = intsAttribute(node, name);
    if (values === undefined) continue;
    const [begin, end] = values as [number, number];
    const widened = name === "pads" ? [0, begin, 0, end] : [neutral, begin];
    attributes.set(name, { type: "ints", value: widened.map(BigInt) } satisfies Attribute);
  }
  return { ...node, attributes };
}
