import { intAttribute, intsAttribute, nodeLabel, textAttribute } from "../attributes.ts";
import { elementTypeOf } from "../element-type.ts";
import { normalAxis, productOf } from "../fact.ts";
import type { Dim } from "../model.ts";
import { resizedAxes } from "../resize.ts";
import type { ShapeRule } from "./rule.ts";
import { MAX_VALUES, axesOf, first } from "./rule.ts";

/** Type by the attribute `dtype`, else that of the first input; the shape is the first input's. */
export const like: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  const code = intAttribute(context.node, "dtype", 0);
  return [{ elementType: code === 0 ? elementType : elementTypeOf(code, nodeLabel(context.node)), shape }];
};

/** The shape of the first input, the type of the second. */
export const castLike: ShapeRule = ({ inputs: [x, target] }) => [
  { elementType: target?.elementType ?? "undefined", shape: x?.shape },
];

/** Random tensors of a fixed shape. */
export const random: ShapeRule = ({ node }) => [
  {
    elementType: elementTypeOf(intAttribute(node, "dtype", 1), nodeLabel(node)),
    shape: intsAttribute(node, "shape"),
  },
];

export const range: ShapeRule = (context) => {
  const { elementType } = first(context);
  const [start, limit, delta] = context.inputs.map(({ values, floats }) => values?.[0] ?? floats?.[0]);
  if (typeof start !== "number" || typeof limit !== "number" || typeof delta !== "number" || delta === 0) {
    return [{ elementType, shape: [""] }];
  }
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  const integers = elementType === "int64" || elementType === "int32";
  if (!integers || length > MAX_VALUES) return [{ elementType, shape: [length] }];
  return [{ elementType, shape: [length], values: Array.from({ length }, (_, i) => start + i * delta) }];
};

export const oneHot: ShapeRule = ({ node, inputs: [indices, depth, values] }) => {
  const elementType = values?.elementType ?? "undefined";
  const shape = indices?.shape;
  if (shape === undefined) return [{ elementType, shape }];
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), shape.length + 1);
  return [{ elementType, shape: shape.toSpliced(axis, 0, depth?.values?.[0] ?? depth?.floats?.[0] ?? "") }];
};

export const topK: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const attribute = intAttribute(node, "k", -1);
  const k = inputs[1]?.values?.[0] ?? (attribute < 0 ? "" : attribute);
  const axis = shape && normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), shape.length);
  const cut = shape?.with(axis!, k);
  return [
    { elementType, shape: cut },
    { elementType: "int64", shape: cut },
  ];
};

/** How many there are is only known when it runs. */
export const nonZero: ShapeRule = (context) => {
  const rank = first(context).shape?.length;
  return [{ elementType: "int64", shape: [rank ?? "", ""] }];
};

export const size: ShapeRule = (context) => {
  const { shape } = first(context);
  return [
    { elementType: "int64", shape: [], ...(shape === undefined ? {} : { values: [productOf(shape)] }) },
  ];
};

/** Resize and Upsample: by sizes, or by factors that the file holds as constants. */
export const resize: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  // A crop changes what the factor applies to.
  const crops = textAttribute(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const bySizes = (node.inputs[3] ?? "") !== "";
  const result = resizedAxes(node, shape, inputs).map(({ to, scale }): Dim => {
    return crops && !bySizes && scale !== 1 ? "" : to;
  });
  return [{ elementType, shape: result }];
};

/** Axes of a normalization from `axis` on become 1 in the statistics. */
export const layerNorm: ShapeRule = (context) => {
  const { node } = context;
  const { elementType, shape } = first(context);
  const axis = shape && normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), shape.length);
  const statistics = shape?.map((dim, i): Dim => (i < axis! ? dim : 1));
  return node.outputs.map((_, i) =>
    i === 0 ? { elementType, shape } : { elementType: "float32", shape: statistics },
  );
};

/** Beside the result: running statistics, one number a channel. */
export const batchNorm: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return context.node.outputs.map((_, i) =>
    i === 0 ? { elementType, shape } : (context.inputs[i + 2] ?? { elementType, shape: undefined }),
  );
};

export const dropout: ShapeRule = (context) => {
  const { elementType, shape } = first(context);
  return [
    { elementType, shape },
    { elementType: "bool", shape },
  ];
};

/** One number a class, or one for all, by `reduction`. */
export const lossOf: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  const attribute = node.attributes.get("reduction");
  const reduction = attribute?.type === "string" ? new TextDecoder().decode(attribute.value) : "mean";
  return [
    { elementType, shape: reduction === "none" ? inputs[1]?.shape : [] },
    { elementType, shape },
  ];
};

/** CenterCropPad: the sizes of the named axes. */
export const cropPad: ShapeRule = (context) => {
  const { node, inputs } = context;
  const { elementType, shape } = first(context);
  if (shape === undefined) return [{ elementType, shape }];
  const axes = (axesOf(context, -1) ?? [...shape.keys()]).map((axis) =>
    normalAxis(nodeLabel(node), axis, shape.length),
  );
  const result = [...shape];
  for (const [k, axis] of axes.entries()) result[axis] = inputs[1]?.values?.[k] ?? "";
  return [{ elementType, shape: result }];
};
