import { intAttribute, intsAttribute } from "../attributes.ts";
import { shapeText } from "../fact.ts";
import type { Dim } from "../model.ts";
import { windowOf, windowOutput } from "../window.ts";
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
  if (!kernel.every((size) => typeof size === "number") || node.attributes.has("output_shape")) {
    return [{ elementType, shape: undefined }];
  }
  const window = windowOf(node, kernel, spatial);
  const extra = intsAttribute(node, "output_padding") ?? kernel.map(() => 0);
  const sizes = spatial.map((size, i): Dim => {
    if (typeof size !== "number") return "";
    const full = window.strides[i]! * (size - 1) + (kernel[i]! - 1) * window.dilations[i]! + 1;
    return full + extra[i]! - window.padsBegin[i]! - window.padsEnd[i]!;
  });
  const channels = w.shape[1];
  const group = intAttribute(node, "group", 1);
  return [{ elementType, shape: [n!, typeof channels === "number" ? channels * group : "", ...sizes] }];
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
  const pads = (inputs[1]?.values as number[] | undefined) ?? intsAttribute(node, "pads");
  if (shape === undefined || pads?.length !== 2 * shape.length)
    return [{ elementType, shape: shape?.map(() => "") }];
  const sizes = shape.map((dim, i): Dim =>
    typeof dim === "number"
      ? dim + pads[i]! + pads[i + shape.length]!
      : pads[i] === 0 && pads[i + shape.length] === 0
        ? dim
        : "",
  );
  return [{ elementType, shape: sizes }];
};
