import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel } from "./attributes.ts";
import { GraphBuilder, RESERVED_PREFIX } from "./graph-builder.ts";
import type { Attribute, Model, Node, TensorValue } from "./model.ts";
import { inferShapes } from "./shapes.ts";
import { floatTensor, int64Tensor } from "./tensor-value.ts";

/** Oldest operator set whose operators broadcast as today's do. */
const OLDEST_OPSET = 7;
/** Rules and formulations are written in the forms of this one, which newer ones kept. */
export const COMMON_OPSET = 18;

/** Version of the default operator set; 1 where the file names none. */
export function opsetOf(model: Model): number {
  return model.opsetImports.find(({ domain }) => domain === "")?.version ?? 1;
}

interface Upgrade {
  /** Applies to models of an older operator set than this. */
  readonly before: number;
  /** The replacement of one node; new constants go to `constants`. */
  readonly apply: (node: Node, constants: ConstantSink) => Node;
}

interface ConstantSink {
  ints(values: readonly number[]): string;
  float(value: number): string;
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

const axesInputs18 = [
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSumExp",
  "ReduceMax",
  "ReduceMean",
  "ReduceMin",
  "ReduceProd",
  "ReduceSumSquare",
];

const UPGRADES: ReadonlyMap<string, Upgrade> = new Map([
  ["Squeeze", { before: 13, apply: axesToInput }],
  ["Unsqueeze", { before: 13, apply: axesToInput }],
  ["ReduceSum", { before: 13, apply: axesToInput }],
  ...axesInputs18.map((op) => [op, { before: 18, apply: axesToInput }] as const),
  ["Clip", { before: 11, apply: clipToInputs }],
  ["Pad", { before: 11, apply: padToInputs }],
  ["Slice", { before: 10, apply: sliceToInputs }],
  ["Dropout", { before: 12, apply: dropoutRatioGone }],
]);

/**
 * The same model in the operator forms of opset 18 (newer models keep theirs): axes as inputs, Softmax
 * over one axis. Nodes must be sorted. Errors: `onnx/unsupported-opset`, `onnx/unsupported-attribute`.
 */
export function upgradeModel(model: Model): Model {
  const from = opsetOf(model);
  if (from < OLDEST_OPSET) {
    throw failure(
      "onnx/unsupported-opset",
      `onnx: operator set ${from}, the oldest supported is ${OLDEST_OPSET}; export again with a newer one`,
    );
  }
  if (from >= COMMON_OPSET) return model;
  const initializers: TensorValue[] = [...model.graph.initializers];
  const name = (): string => `${RESERVED_PREFIX}upgrade.${initializers.length}`;
  const constants: ConstantSink = {
    ints(values) {
      initializers.push(int64Tensor(name(), [values.length], values));
      return initializers.at(-1)!.name;
    },
    float(value) {
      initializers.push(floatTensor(name(), [], [value]));
      return initializers.at(-1)!.name;
    },
  };
  const softmax = from < 13 && model.graph.nodes.some(isSoftmax) ? softmaxUpgrade(model) : undefined;
  const nodes = model.graph.nodes.map((node) => {
    if (node.domain !== "") return node;
    if (softmax !== undefined && isSoftmax(node)) return softmax(node);
    const upgrade = UPGRADES.get(node.opType);
    return upgrade !== undefined && from < upgrade.before ? upgrade.apply(node, constants) : node;
  });
  const opsetImports = [
    { domain: "", version: COMMON_OPSET },
    ...model.opsetImports.filter(({ domain }) => domain !== ""),
  ];
  return { ...model, opsetImports, graph: { ...model.graph, nodes, initializers } };
}

function isSoftmax({ opType, domain }: Node): boolean {
  return domain === "" && (opType === "Softmax" || opType === "LogSoftmax");
}

/** Before opset 13 Softmax went over all axes from `axis` on; for the last axis both forms agree. */
function softmaxUpgrade(model: Model): (node: Node) => Node {
  const builder = new GraphBuilder(inferShapes(model));
  return (node) => {
    const rank = builder.fact(node.inputs[0] ?? "")?.shape?.length;
    const axis = intAttribute(node, "axis", 1);
    if (rank === undefined || (axis !== rank - 1 && axis !== -1)) {
      throw failure(
        "onnx/unsupported-attribute",
        `onnx: ${nodeLabel(node)}: softmax over several axes (axis ${axis} of ${rank ?? "?"}); export with operator set 13 or newer`,
      );
    }
    return { ...node, attributes: new Map([["axis", { type: "int", value: -1n }]]) };
  };
}
