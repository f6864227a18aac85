import { intAttribute, intsAttribute, nodeLabel } from "../attributes.ts";
import { broadcastShapes, normalAxis, productOf, quotientOf, shapeText } from "../fact.ts";
import type { Dim } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { MAX_VALUES, axesOf, first, mismatch } from "./rule.ts";

export const flatten: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape: ["", ""] }];
  const axis = intAttribute(context.node, "axis", 1);
  const at = axis < 0 ? axis + shape.length : axis;
  return [{ elementType, shape: [productOf(shape.slice(0, at)), productOf(shape.slice(at))] }];
};

export const reshape: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const target = inputs[1]?.values;
  if (target === undefined) {
    const rank = inputs[1]?.shape?.[0];
    const known = typeof rank === "number" && rank <= MAX_VALUES;
    return [{ elementType, shape: known ? Array.from({ length: rank }, (): Dim => "") : undefined }];
  }
  const zeroIsZero = intAttribute(node, "allowzero", 0) !== 0;
  const wanted = target.map((dim, i) => (dim === 0 && !zeroIsZero ? (shape?.[i] ?? "") : dim));
  const hole = wanted.indexOf(-1);
  if (hole >= 0) {
    const others = wanted.filter((_, i) => i !== hole);
    wanted[hole] = shape === undefined ? "" : quotientOf(shape, others);
  } else if (shape !== undefined) {
    const [before, after] = [productOf(shape), productOf(wanted)];
    if (typeof before === "number" && typeof after === "number" && before !== after) {
      throw mismatch(node, `${shapeText(shape)} cannot become ${shapeText(wanted)}`);
    }
  }
  if (wanted.some((dim) => typeof dim === "number" && (dim < 0 || !Number.isInteger(dim)))) {
    throw mismatch(node, `${shapeText(shape)} cannot become ${shapeText(target)}`);
  }
  const values = inputs[0]?.values;
  return [{ elementType, shape: wanted, ...(values === undefined ? {} : { values }) }];
};

export const transpose: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  const perm = intsAttribute(node, "perm") ?? [...shape.keys()].toReversed();
  if (
    perm.length !== shape.length ||
    new Set(perm).size !== shape.length ||
    perm.some((i) => shape[i] === undefined)
  ) {
    throw mismatch(node, `perm [${perm.join(",")}] of ${shapeText(shape)}`);
  }
  return [{ elementType, shape: perm.map((i) => shape[i]!) }];
};

export const squeeze: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape, values } = first(context);
  const axes = axesOf(context, 1);
  const rest = values === undefined ? {} : { values };
  if (shape === undefined) return [{ elementType, shape }];
  if (axes === undefined) {
    if (node.inputs.length > 1 || shape.some((dim) => typeof dim !== "number"))
      return [{ elementType, shape: undefined }];
    return [{ elementType, shape: shape.filter((dim) => dim !== 1), ...rest }];
  }
  const gone = new Set(axes.map((axis) => normalAxis(nodeLabel(node), axis, shape.length)));
  return [{ elementType, shape: shape.filter((_, i) => !gone.has(i)), ...rest }];
};

export const unsqueeze: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape, values } = first(context);
  const axes = axesOf(context, 1);
  if (shape === undefined || axes === undefined) return [{ elementType, shape: undefined }];
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(nodeLabel(node), axis, rank)));
  const rest = [...shape];
  const result = Array.from({ length: rank }, (_, i): Dim => (added.has(i) ? 1 : rest.shift()!));
  return [{ elementType, shape: result, ...(values === undefined ? {} : { values }) }];
};

export const concat: ShapeRule = ({ node, inputs }) => {
  const elementType = inputs[0]?.elementType ?? "undefined";
  const shapes = inputs.map(({ shape }) => shape);
  if (shapes.length === 0 || !shapes.every((shape) => shape !== undefined))
    return [{ elementType, shape: undefined }];
  const rank = shapes[0]!.length;
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), rank);
  const result = shapes[0]!.map((dim, i): Dim => {
    const sizes = shapes.map((shape) => shape[i] ?? "");
    if (i !== axis) return sizes.find((size) => typeof size === "number") ?? dim;
    return sizes.every((size) => typeof size === "number") ? sizes.reduce((sum, size) => sum + size, 0) : "";
  });
  const values = inputs.flatMap((input) => input.values ?? []);
  const known = rank === 1 && values.length === result[0] && values.length <= MAX_VALUES;
  return [{ elementType, shape: result, ...(known ? { values } : {}) }];
};

export const gather: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape, values } = first(context);
  const indices = inputs[1];
  if (shape === undefined || indices?.shape === undefined) return [{ elementType, shape: undefined }];
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", 0), shape.length);
  const result = [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
  const at = (index: Dim): Dim => {
    if (typeof index !== "number" || values === undefined) return "";
    return values[index < 0 ? index + values.length : index] ?? "";
  };
  const picked = indices.values?.map(at);
  const known = values !== undefined && picked !== undefined && shape.length === 1;
  return [{ elementType, shape: result, ...(known ? { values: picked } : {}) }];
};

export const slice: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape, values } = first(context);
  const numbers = (index: number): readonly number[] | undefined => {
    const list = inputs[index]?.values;
    return list?.every((value) => typeof value === "number") ? (list as number[]) : undefined;
  };
  const [starts, ends] = [
    numbers(1) ?? intsAttribute(node, "starts"),
    numbers(2) ?? intsAttribute(node, "ends"),
  ];
  if (shape === undefined) return [{ elementType, shape }];
  if (starts === undefined || ends === undefined) return [{ elementType, shape: shape.map(() => "") }];
  const axes = numbers(3) ?? intsAttribute(node, "axes") ?? starts.map((_, i) => i);
  const steps = numbers(4) ?? starts.map(() => 1);
  if (axes.length > starts.length || axes.length > ends.length || steps.includes(0)) {
    throw mismatch(
      node,
      `${axes.length} axes, ${starts.length} starts, ${ends.length} ends, no step may be 0`,
    );
  }
  const open = (index: number): boolean => (node.inputs[index] ?? "") !== "" && numbers(index) === undefined;
  if (open(3) || open(4)) return [{ elementType, shape: shape.map(() => "") }];
  const result = [...shape];
  let picked = values;
  for (const [k, axisGiven] of axes.entries()) {
    const axis = normalAxis(nodeLabel(node), axisGiven, shape.length);
    const size = shape[axis]!;
    const step = steps[k] ?? 1;
    if (typeof size !== "number") {
      if (starts[k] !== 0 || step !== 1 || ends[k]! < 2 ** 31 - 1) result[axis] = "";
      continue;
    }
    const clamp = (at: number, low: number, high: number): number =>
      Math.min(Math.max(at < 0 ? at + size : at, low), high);
    const from = step > 0 ? clamp(starts[k]!, 0, size) : clamp(starts[k]!, 0, size - 1);
    const to = step > 0 ? clamp(ends[k]!, 0, size) : clamp(ends[k]!, -1, size - 1);
    const length = Math.max(0, Math.ceil((to - from) / step));
    result[axis] = length;
    if (shape.length === 1)
      picked = picked && Array.from({ length }, (_, i) => picked![from + i * step] ?? "");
  }
  return [
    { elementType, shape: result, ...(picked === undefined || shape.length !== 1 ? {} : { values: picked }) },
  ];
};

export const expand: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const target = context.inputs[1]?.values;
  return [{ elementType, shape: broadcastShapes(nodeLabel(context.node), [shape, target]) }];
};
