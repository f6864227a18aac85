import { failure } from "@tributary/core";
import { intAttribute, nodeLabel } from "../ir/attributes.ts";
import { normalAxis } from "../ir/fact.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";
import { appendPool } from "./lower-pool.ts";
import { appendWebgpuForm, WEBGPU_FORMS } from "./lower-webgpu.ts";
import type { GraphTarget } from "./rule.ts";
import { appendForwardConv, appendTransposedByGroup } from "./lower-conv.ts";
import { appendExpanded, EXPANSIONS } from "./rules/expansion.ts";

/**
 * Appends a forward node in a form the target runs and computes correctly. Its outputs keep their names, so
 * that gradient rules need not know.
 */
export function appendLowered(builder: GraphBuilder, node: Node, target: GraphTarget): void {
  const lowering = node.domain === "" ? LOWERINGS.get(node.opType) : undefined;
  if (node.domain === "" && Object.hasOwn(EXPANSIONS, node.opType)) {
    appendExpanded(builder, node, target);
  } else if (target === "webgpu" && node.domain === "" && Object.hasOwn(WEBGPU_FORMS, node.opType)) {
    appendWebgpuForm(builder, node);
  } else if (lowering === undefined || (lowering.target !== undefined && lowering.target !== target)) {
    builder.append(node);
  } else {
    lowering.append(builder, node);
  }
}

interface Lowering {
  /** Only for this target; for all where left out. */
  readonly target?: GraphTarget;
  append(builder: GraphBuilder, node: Node): void;
}

/** onnxruntime's WebGPU engine has no Sum and no LogSoftmax kernel. */
const LOWERINGS: ReadonlyMap<string, Lowering> = new Map<string, Lowering>([
  ["AveragePool", { append: appendPool }],
  ["Conv", { target: "webgpu", append: appendForwardConv }],
  ["ConvTranspose", { target: "webgpu", append: appendTransposedByGroup }],
  ["Dropout", { append: dropoutAtInference }],
  ["LpPool", { append: appendPool }],
  ["MaxPool", { append: appendPool }],
  ["LogSoftmax", { target: "webgpu", append: logSoftmaxInParts }],
  ["Sum", { target: "webgpu", append: sumInPairs }],
]);

/** Local training runs without dropout: what the exporter wrote for inference is the identity. */
function dropoutAtInference(builder: GraphBuilder, node: Node): void {
  const [x, , trainingMode] = node.inputs;
  if ((trainingMode ?? "") !== "" || (node.outputs[1] ?? "") !== "") {
    throw failure(
      "onnx/unsupported-attribute",
      `onnx: ${nodeLabel(node)} is in training mode or gives its mask; export the model in evaluation mode`,
    );
  }
  builder.op("Identity", [x!], {}, node.outputs[0]!);
}

function logSoftmaxInParts(builder: GraphBuilder, node: Node): void {
  const x = node.inputs[0]!;
  const axis = normalAxis(nodeLabel(node), intAttribute(node, "axis", -1), builder.shape(x).length);
  const maximum = builder.op("ReduceMax", [x, builder.int64s([axis])], { keepdims: 1 });
  const shifted = builder.op("Sub", [x, maximum]);
  const total = builder.reduceSum(builder.op("Exp", [shifted]), [axis], true);
  builder.op("Sub", [shifted, builder.op("Log", [total])], {}, node.outputs[0]!);
}

function sumInPairs(builder: GraphBuilder, node: Node): void {
  const [first, ...rest] = node.inputs as [string, ...string[]];
  const last = rest.pop();
  const partial = rest.reduce((sum, value) => builder.op("Add", [sum, value]), first);
  if (last === undefined) builder.op("Identity", [partial], {}, node.outputs[0]!);
  else builder.op("Add", [partial, last], {}, node.outputs[0]!);
}
