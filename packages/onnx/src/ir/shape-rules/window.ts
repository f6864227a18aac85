import { intAttribute, intsAttribute, nodeLabel } from "../attributes.ts";
import { normalAxis, shapeText } from "../fact.ts";
import type { Dim } from "../model.ts";
import { transposedWindowOf, windowOf, windowOutput } from "../window.ts";
import type { ShapeRule } from "./rule.ts";
import { first, mismatch } from "./rule.ts";

export const conv: ShapeRule = ({ node, inputs: [x, w] }) => {
  const elementType = x?.elementType ?? "undefined";
  if (x?.shape === undefined || w?.shape === undefined) return [{ elementType, shape: undefined }];
  const kernel = w.shape.slice(2);
  const [n, c, ...spatial] = x.shape;
  const group = intAttribute(node, "group", 1);
  const perGroup = w.shape[1];
  if (typeof c === "number" && typeof perGroup === "number" && c !== perGroup * group) {
    throw mismatch(
      node,
      `${c} input channels, the kernel ${shapeText(w.shape)} has ${perGroup} in ${group} groups`,
    );
  }
  if (!kernel.every((size) => typeof size === "number")) return [{ elementType, shape: undefined }];
  const window = windowOf(node, kernel, spatial);
  return [{ elementType, shape: [n!, w.shape[0]!, ...windowOutput(node, window, spatial)] }];
};

export const convTranspose: ShapeRule = ({ node, inputs: [x, w] }) => {
  const elementType = x?.elementType ?? "undefined";
  if (x?.shape === undefined || w?.shape === undefined) return [{ elementType, shape: undefined }];
  const kernel = w.shape.slice(2);
  const [n, , ...spatial] = x.shape;
  if (!kernel.every((size) => typeof size === "number")) return [{ elementType, shape: undefined }];
  const channels = w.shape[1];
  const group = intAttribute(node, "group", 1);
  const head: Dim[] = [n!, typeof channels === "number" ? channels * group : ""];
  const { sizes } = transposedWindowOf(node, kernel, spatial);
  return [{ elementType, shape: [...head, ...sizes] }];
};

export const pool: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape } = first(context);
  const kernel = intsAttribute(node, "kernel_shape");
  if (kernel === undefined) throw mismatch(node, "kernel_shape is missing");
  if (shape === undefined) return [{ elementType, shape }];
  const [n, c, ...spatial] = shape;
  if (spatial.length !== kernel.length) throw mismatch(node, `input ${shapeText(shape)}`);
  const window = windowOf(node, kernel, spatial);
  const out = [n!, c!, ...windowOutput(node, window, spatial)];
  return [
    { elementType, shape: out },
    { elementType: "int64", shape: out },
  ];
};

export const globalPool: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return [{ elementType, shape: shape?.map((dim, i) => (i < 2 ? dim : 1)) }];
};

export const depthToSpace: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const block = intAttribute(context.node, "blocksize", 1);
  const factors = [1, 1 / (block * block), block, block];
  return [
    { elementType, shape: shape?.map((dim, i) => (typeof dim === "number" ? dim * factors[i]! : dim)) },
  ];
};

export const pad: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const pads = inputs[1]?.values ?? intsAttribute(node, "pads");
  const chosen = (node.inputs[3] ?? "") !== "";
  const listed = chosen ? inputs[3]?.values : shape && [...shape.keys()];
  if (shape === undefined || listed === undefined || pads?.length !== 2 * listed.length) {
    return [{ elementType, shape: shape?.map(() => "") }];
  }
  const sizes = [...shape];
  for (const [k, axisGiven] of listed.entries()) {
    const [begin, end] = [pads[k], pads[k + listed.length]];
    if (typeof axisGiven !== "number") return [{ elementType, shape: shape.map(() => "") }];
    const axis = normalAxis(nodeLabel(node), axisGiven, shape.length);
    const dim = shape[axis]!;
    if (begin === 0 && end === 0) continue;
    const known = typeof dim === "number" && typeof begin === "number" && typeof end === "number";
    sizes[axis] = known ? Math.max(0, dim + begin + end) : "";
  }
  return [{ elementType, shape: sizes }];
};
