import { FLAT_OPS, isDifferentiable } from "./autodiff/rules/index.ts";
import { nodeLabel } from "./ir/attributes.ts";
import type { Node } from "./ir/model.ts";

/** A node that gradients cannot pass. */
export interface Obstacle {
  /** As messages call it: `NonMaxSuppression "nms"`. */
  readonly node: string;
  readonly op: string;
  /** What to do about it. */
  readonly advice: string;
}

export interface Trainability {
  /** Parameters that gradients reach. */
  readonly trainable: readonly string[];
  /** Nodes between the others and the outputs that have no gradient, in the graph's order. */
  readonly obstacles: readonly Obstacle[];
}

const QUANTIZED =
  /^(?:QLinear|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|MatMulInteger|ConvInteger)/u;
const CONTROL = new Set(["If", "Loop", "Scan"]);

/** Which parameters lie behind every node without a gradient. `nodes` must be sorted. */
export function trainability(nodes: readonly Node[], parameters: readonly string[]): Trainability {
  const dependent = new Set(parameters);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((name) => dependent.has(name))) for (const name of outputs) dependent.add(name);
  }
  dependent.delete("");
  const cut = new Set<string>();
  const obstacles: Node[] = [];
  for (const node of nodes.toReversed()) {
    const flat = node.domain === "" && FLAT_OPS.has(node.opType);
    if (flat || !node.inputs.some((name) => dependent.has(name))) continue;
    const blocked = node.domain !== "" || !isDifferentiable(node.opType);
    if (blocked) obstacles.push(node);
    if (blocked || node.outputs.some((name) => cut.has(name))) for (const name of node.inputs) cut.add(name);
  }
  const trainable = parameters.filter((name) => !cut.has(name));
  return {
    trainable,
    obstacles: obstacles.toReversed().map((node) => ({
      node: nodeLabel(node),
      op: node.domain === "" ? node.opType : `${node.domain}.${node.opType}`,
      advice: adviceFor(node, trainable),
    })),
  };
}

function adviceFor({ opType, domain }: Node, trainable: readonly string[]): string {
  if (QUANTIZED.test(opType))
    return "train the float model that this one was quantized from, and quantize the result";
  if (domain === "ai.onnx.ml")
    return "rebuild the classifier from MatMul or Gemm (PyTorch, Keras); trees cannot be trained by gradients";
  if (domain === "com.microsoft")
    return "export without onnxruntime's optimizer, which fused standard operators into this one";
  if (domain !== "") return "replace the custom operator by standard ones, or export it as a function";
  if (CONTROL.has(opType)) return "export with fixed sizes, so that loops are unrolled and branches decided";
  if (trainable.length > 0)
    return `train only what lies behind it: ${trainable.slice(0, 4).join(", ")}${trainable.length > 4 ? " …" : ""}`;
  return "take it out of the model, or export the part before it as a model of its own";
}
