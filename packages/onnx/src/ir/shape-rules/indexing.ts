import { intAttribute, intsAttribute, nodeLabel } from "../attributes.ts";
import { normalAxis } from "../fact.ts";
import type { Dim } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { first } from "./rule.ts";

/** As many parts as outputs: sizes from the input or, before opset 13, the attribute, else even ones. */
export const split: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return node.outputs.map(() => ({ elementType, shape }));
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), shape.length);
  const listed = inputs[1]?.values ?? intsAttribute(node, "split");
  const size = shape[axis]!;
  const even = typeof size === "number" ? Math.ceil(size / node.outputs.length) : "";
  const sizes = node.outputs.map((_, i): Dim => {
    if (listed !== undefined) return listed[i] ?? "";
    if ((node.inputs[1] ?? "") !== "" || typeof size !== "number" || typeof even !== "number") return "";
    return Math.max(0, Math.min(even, size - i * even));
  });
  return sizes.map((part) => ({ elementType, shape: shape.with(axis, part) }));
};

export const tile: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const repeats = context.inputs[1]?.values;
  const sizes = shape?.map((dim, i): Dim => {
    const times = repeats?.[i];
    if (times === 1) return dim;
    return typeof dim === "number" && typeof times === "number" ? dim * times : "";
  });
  return [{ elementType, shape: sizes }];
};

export const gatherElements: ShapeRule = (context) => {
  const { elementType } = first(context);
  return [{ elementType, shape: context.inputs[1]?.shape }];
};

export const gatherND: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const indices = context.inputs[1]?.shape;
  const depth = indices?.at(-1);
  if (shape === undefined || indices === undefined || typeof depth !== "number") {
    return [{ elementType, shape: undefined }];
  }
  const batch = intAttribute(context.node, "batch_dims", 0);
  return [{ elementType, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

export const spaceToDepth: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const block = intAttribute(context.node, "blocksize", 1);
  const factors = [1, block * block, 1 / block, 1 / block];
  return [
    { elementType, shape: shape?.map((dim, i) => (typeof dim === "number" ? dim * factors[i]! : dim)) },
  ];
};
