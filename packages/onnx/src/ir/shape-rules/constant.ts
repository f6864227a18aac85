import { intAttribute } from "../attributes.ts";
import type { Fact } from "../fact.ts";
import { UNKNOWN } from "../fact.ts";
import { integerValues } from "../tensor-value.ts";
import type { ShapeRule } from "./rule.ts";
import { MAX_VALUES, first } from "./rule.ts";

export const shapeOf: ShapeRule = (context) => {
  const { node } = context;
  const { shape } = first(context);
  if (shape === undefined) return [{ elementType: "int64", shape: [""] }];
  const start = intAttribute(node, "start", 0);
  const end = intAttribute(node, "end", shape.length);
  const values = shape.slice(start, end);
  return [{ elementType: "int64", shape: [values.length], values }];
};

export const constant: ShapeRule = ({ node }) => {
  const value = node.attributes.get("value");
  if (value?.type !== "tensor") return [UNKNOWN];
  return [factOfTensor(value.value)];
};

/** What an initializer tells: its shape, and its elements if it is a small integer tensor. */
export function factOfTensor(tensor: Parameters<typeof integerValues>[0]): Fact {
  const { elementType, dims } = tensor;
  const small = dims.reduce((product, dim) => product * dim, 1) <= MAX_VALUES && dims.length <= 1;
  const values = small ? integerValues(tensor) : undefined;
  return { elementType, shape: dims, ...(values === undefined ? {} : { values }) };
}

export const fromValues: ShapeRule = ({ node, inputs }) => {
  const value = node.attributes.get("value");
  const elementType = value?.type === "tensor" ? value.value.elementType : "float32";
  return [{ elementType, shape: inputs[0]?.values }];
};
