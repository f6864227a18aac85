import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel, textAttribute } from "./attributes.ts";
import type { Attribute, Node } from "./model.ts";

/** How one operator came to its form of opset 18. */
export interface Upgrade {
  /** Applies to models of an older operator set than this. */
  readonly before: number;
  /** The replacement of one node; new constants go to `constants`. */
  readonly apply: (node: Node, constants: ConstantSink) => Node;
}

export interface ConstantSink {
  ints(values: readonly number[]): string;
  floats(values: readonly number[]): string;
  float(value: number): string;
  /** Elements of a float constant of the model; undefined for what is computed. */
  valuesOf(name: string): readonly number[] | undefined;
}

function without(node: Node, ...names: string[]): Map<string, Attribute> {
  return new Map([...node.attributes].filter(([name]) => !names.includes(name)));
}

const axesToInput: Upgrade["apply"] = (node, constants) => {
  const axes = intsAttribute(node, "axes");
  if (axes === undefined) return node;
  return {
    ...node,
    inputs: [node.inputs[0] ?? "", constants.ints(axes)],
    attributes: without(node, "axes"),
  };
};

const clipToInputs: Upgrade["apply"] = (node, constants) => {
  const [min, max] = [node.attributes.get("min"), node.attributes.get("max")];
  const inputs = [
    node.inputs[0] ?? "",
    min?.type === "float" ? constants.float(min.value) : "",
    max?.type === "float" ? constants.float(max.value) : "",
  ];
  return { ...node, inputs, attributes: without(node, "min", "max") };
};

const padToInputs: Upgrade["apply"] = (node, constants) => {
  const pads = intsAttribute(node, "pads") ?? [];
  const value = node.attributes.get("value");
  const inputs = [
    node.inputs[0] ?? "",
    constants.ints(pads),
    constants.float(value?.type === "float" ? value.value : 0),
  ];
  return { ...node, inputs, attributes: without(node, "pads", "value") };
};

const sliceToInputs: Upgrade["apply"] = (node, constants) => {
  const starts = intsAttribute(node, "starts") ?? [];
  const axes = intsAttribute(node, "axes") ?? starts.map((_, i) => i);
  const inputs = [
    node.inputs[0] ?? "",
    constants.ints(starts),
    constants.ints(intsAttribute(node, "ends") ?? []),
    constants.ints(axes),
  ];
  return { ...node, inputs, attributes: without(node, "starts", "ends", "axes") };
};

const dropoutRatioGone: Upgrade["apply"] = (node) => ({ ...node, attributes: without(node, "ratio") });

/** Sizes as an input since 13; equal parts say how many they are since 18. */
const splitToInput: Upgrade["apply"] = (node, constants) => {
  const sizes = intsAttribute(node, "split");
  const inputs = sizes === undefined ? node.inputs : [node.inputs[0] ?? "", constants.ints(sizes)];
  const attributes = without(node, "split");
  if ((inputs[1] ?? "") === "") {
    attributes.set("num_outputs", { type: "int", value: BigInt(node.outputs.length) });
  }
  return { ...node, inputs, attributes };
};

/** Before 14 outputs beyond the first meant training, and 7 could normalize each place by itself. */
const batchNormOfToday: Upgrade["apply"] = (node) => {
  if (intAttribute(node, "spatial", 1) === 0) {
    throw failure(
      "onnx/unsupported-attribute",
      `onnx: ${nodeLabel(node)}: spatial 0 has no form in newer operator sets; export with operator set 9 or newer`,
    );
  }
  const attributes = without(node, "spatial");
  if (node.outputs.slice(1).every((name) => name === "")) {
    return { ...node, outputs: node.outputs.slice(0, 1), attributes };
  }
  attributes.set("training_mode", { type: "int", value: 1n });
  return { ...node, outputs: node.outputs.slice(0, 3), attributes };
};

const ASYMMETRIC = textValue("asymmetric");

/** Upsample and Resize-10 looked up places by dividing, towards zero when growing and upwards when shrinking. */
function toResize(node: Node, scales: string, constants: ConstantSink): Node {
  const values = constants.valuesOf(scales);
  const [grows, shrinks] = [values?.some((scale) => scale > 1), values?.some((scale) => scale < 1)];
  if (grows === true && shrinks === true && textAttribute(node, "mode", "nearest") === "nearest") {
    throw failure(
      "onnx/unsupported-attribute",
      `onnx: ${nodeLabel(node)} grows along one axis and shrinks along another, which newer operator sets round differently; export with operator set 11 or newer`,
    );
  }
  const attributes = without(node, "scales");
  attributes.set("coordinate_transformation_mode", ASYMMETRIC);
  attributes.set("nearest_mode", textValue(shrinks === true ? "ceil" : "floor"));
  return { ...node, opType: "Resize", inputs: [node.inputs[0] ?? "", "", scales], attributes };
}

const upsampleToResize: Upgrade["apply"] = (node, constants) => {
  const scales = node.attributes.get("scales");
  const given = scales?.type === "floats" ? constants.floats(scales.value) : (node.inputs[1] ?? "");
  return toResize(node, given, constants);
};

/** 10 had no region; 11 wanted an empty tensor for what is left out. */
const resizeOfToday: Upgrade["apply"] = (node, constants) => {
  if (node.inputs.length === 2) return toResize(node, node.inputs[1]!, constants);
  const crops = textAttribute(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const inputs = node.inputs.map((name, i) => {
    const isEmpty = constants.valuesOf(name)?.length === 0;
    return (i === 1 && !crops) || (i > 0 && isEmpty) ? "" : name;
  });
  return { ...node, inputs };
};

const topKToInput: Upgrade["apply"] = (node, constants) => {
  const k = constants.ints([intAttribute(node, "k", 1)]);
  return { ...node, inputs: [node.inputs[0] ?? "", k], attributes: without(node, "k") };
};

const renamed =
  (opType: string): Upgrade["apply"] =>
  (node) => ({ ...node, opType });

function textValue(text: string): Attribute {
  return { type: "string", value: new TextEncoder().encode(text) };
}

const axesInputs18 = [
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceMax",
  "ReduceMean",
  "ReduceMin",
  "ReduceProd",
  "ReduceSumSquare",
];

/** By operator; what is not here reads the same in every operator set from 7 to 18. */
export const UPGRADES: ReadonlyMap<string, Upgrade> = new Map([
  ["Squeeze", { before: 13, apply: axesToInput }],
  ["Unsqueeze", { before: 13, apply: axesToInput }],
  ["ReduceSum", { before: 13, apply: axesToInput }],
  ...axesInputs18.map((op) => [op, { before: 18, apply: axesToInput }] as const),
  ["Clip", { before: 11, apply: clipToInputs }],
  ["Pad", { before: 11, apply: padToInputs }],
  ["Slice", { before: 10, apply: sliceToInputs }],
  ["Dropout", { before: 12, apply: dropoutRatioGone }],
  ["Split", { before: 18, apply: splitToInput }],
  ["BatchNormalization", { before: 14, apply: batchNormOfToday }],
  ["Upsample", { before: 10, apply: upsampleToResize }],
  ["Resize", { before: 13, apply: resizeOfToday }],
  ["TopK", { before: 10, apply: topKToInput }],
  ["Scatter", { before: 11, apply: renamed("ScatterElements") }],
]);
