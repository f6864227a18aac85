import { intAttribute, nodeLabel } from "../attributes.ts";
import { elementTypeOf } from "../element-type.ts";
import type { ElementType } from "../element-type.ts";
import { UNKNOWN } from "../fact.ts";
import type { Node } from "../model.ts";
import { matMul } from "./linear.ts";
import type { ShapeRule } from "./rule.ts";
import { first } from "./rule.ts";
import { conv } from "./window.ts";

function typeAttribute(node: Node, name: string, fallback: ElementType): ElementType {
  const code = intAttribute(node, name, 0);
  return code === 0 ? fallback : elementTypeOf(code, nodeLabel(node));
}

export const quantizeLinear: ShapeRule = (context) => {
  const { node, inputs } = context;
  const zero = inputs[2]?.elementType ?? "undefined";
  const fallback = (node.inputs[2] ?? "") === "" ? "uint8" : zero;
  return [{ elementType: typeAttribute(node, "output_dtype", fallback), shape: first(context).shape }];
};

export const dequantizeLinear: ShapeRule = (context) => {
  const { node, inputs } = context;
  const scale = inputs[1]?.elementType ?? "undefined";
  return [{ elementType: typeAttribute(node, "output_dtype", scale), shape: first(context).shape }];
};

export const dynamicQuantizeLinear: ShapeRule = (context) => [
  { elementType: "uint8", shape: first(context).shape },
  { elementType: "float32", shape: [] },
  { elementType: "uint8", shape: [] },
];

/** The operands at two positions, as the float operator takes them; the type of a third or a fixed one. */
function like(rule: ShapeRule, a: number, b: number, type: ElementType | number): ShapeRule {
  return ({ node, inputs }) => {
    const [result] = rule({ node, inputs: [inputs[a] ?? UNKNOWN, inputs[b] ?? UNKNOWN] });
    const elementType = typeof type === "number" ? (inputs[type]?.elementType ?? "undefined") : type;
    return [{ elementType, shape: result?.shape }];
  };
}

export const matMulInteger = like(matMul, 0, 1, "int32");
export const convInteger = like(conv, 0, 1, "int32");
export const qLinearMatMul = like(matMul, 0, 3, 7);
export const qLinearConv = like(conv, 0, 3, 7);
