import { intAttribute } from "../attributes.ts";
import type { Fact } from "../fact.ts";
import { UNKNOWN } from "../fact.ts";
import { floatValues, int64Tensor, integerValues } from "../tensor-value.ts";
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
  const [attribute] = node.attributes.values();
  switch (attribute?.type) {
    case "tensor":
      return [factOfTensor(attribute.value)];
    case "int":
      return [factOfTensor(int64Tensor("", [], [attribute.value]))];
    case "ints":
      return [factOfTensor(int64Tensor("", [attribute.value.length], attribute.value))];
    case "float":
      return [{ elementType: "float32", shape: [], floats: [attribute.value] }];
    case "floats":
      return [{ elementType: "float32", shape: [attribute.value.length] }];
    case "string":
      return [{ elementType: "string", shape: [] }];
    case "strings":
      return [{ elementType: "string", shape: [attribute.value.length] }];
    default:
      return [UNKNOWN];
  }
};

/** What an initializer tells: its shape, and its elements if it is a small integer tensor. */
export function factOfTensor(tensor: Parameters<typeof integerValues>[0]): Fact {
  const { elementType, dims } = tensor;
  const small = dims.reduce((product, dim) => product * dim, 1) <= MAX_VALUES && dims.length <= 1;
  const values = small ? integerValues(tensor) : undefined;
  const floats = small && elementType === "float32" ? Array.from(floatValues(tensor)) : undefined;
  return {
    elementType,
    shape: dims,
    ...(values === undefined ? {} : { values }),
    ...(floats === undefined ? {} : { floats }),
  };
}

export const fromValues: ShapeRule = ({ node, inputs }) => {
  const value = node.attributes.get("value");
  const elementType = value?.type === "tensor" ? value.value.elementType : "float32";
  return [{ elementType, shape: inputs[0]?.values }];
};
