import { intAttribute, nodeLabel } from "../attributes.ts";
import type { ElementType } from "../element-type.ts";
import { elementTypeOf } from "../element-type.ts";
import { UNKNOWN, broadcastShapes } from "../fact.ts";
import type { ShapeRule } from "./rule.ts";
import { first } from "./rule.ts";

export const sameAsFirst: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return context.node.outputs.map((_, i) => (i === 0 ? { elementType, shape } : UNKNOWN));
};

export const identity: ShapeRule = (context) => [first(context)];

export function broadcast(elementType?: ElementType, from = 0): ShapeRule {
  return ({ node, inputs }) => [
    {
      elementType: elementType ?? inputs[from]?.elementType ?? "undefined",
      shape: broadcastShapes(
        nodeLabel(node),
        inputs.map(({ shape }) => shape),
      ),
    },
  ];
}

/** Integer arithmetic on shape values, as exporters build them. */
export function arithmetic(apply: (a: number, b: number) => number): ShapeRule {
  const shapes = broadcast();
  return (context) => {
    const [result] = shapes(context);
    const [a, b] = context.inputs;
    const length = Math.max(a?.values?.length ?? 0, b?.values?.length ?? 0);
    if (a?.values === undefined || b?.values === undefined) return [result!];
    const values = Array.from({ length }, (_, i) => {
      const x = a.values![a.values!.length === 1 ? 0 : i];
      const y = b.values![b.values!.length === 1 ? 0 : i];
      return typeof x === "number" && typeof y === "number" ? apply(x, y) : "";
    });
    return [{ ...result!, values }];
  };
}

export const cast: ShapeRule = (context) => {
  const { node } = context;
  const { shape, values } = first(context);
  const elementType = elementTypeOf(intAttribute(node, "to", 0), nodeLabel(node));
  const integer = elementType === "int64" || elementType === "int32";
  return [{ elementType, shape, ...(integer && values !== undefined ? { values } : {}) }];
};

export const where: ShapeRule = broadcast(undefined, 1);

export const compare: ShapeRule = broadcast("bool");
