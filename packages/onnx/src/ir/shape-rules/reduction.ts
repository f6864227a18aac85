import { intAttribute, nodeLabel } from "../attributes.ts";
import { normalAxis } from "../fact.ts";
import type { Dim } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { axesOf, first } from "./rule.ts";

export const reduce: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  const given = axesOf(context, 1);
  const absent = node.inputs[1] === undefined || node.inputs[1] === "" || inputs[1]?.shape?.[0] === 0;
  if (given === undefined && !absent) return [{ elementType, shape: undefined }];
  const noop = intAttribute(node, "noop_with_empty_axes", 0) !== 0;
  const listed = given ?? [];
  const axes = new Set(
    listed.length === 0 && !noop
      ? shape.keys()
      : listed.map((axis) => normalAxis(nodeLabel(node), axis, shape.length)),
  );
  const keep = intAttribute(node, "keepdims", 1) !== 0;
  const reduced = shape.flatMap((dim, i): Dim[] => (axes.has(i) ? (keep ? [1] : []) : [dim]));
  return [{ elementType, shape: reduced }];
};

export const argReduce: ShapeRule = (context) => {
  const { shape } = first(context);
  const { node } = context;
  if (shape === undefined) return [{ elementType: "int64", shape }];
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), shape.length);
  const keep = intAttribute(node, "keepdims", 1) !== 0;
  const reduced = shape.flatMap((dim, i): Dim[] => (i === axis ? (keep ? [1] : []) : [dim]));
  return [{ elementType: "int64", shape: reduced }];
};
