import { decodeModel } from "../ir/decode.ts";
import { sortNodes } from "../ir/graph-order.ts";
import type { Graph, Model, Node } from "../ir/model.ts";
import { inferShapes } from "../ir/shapes.ts";
import type { LossName } from "./loss-options.ts";

/**
 * The loss that a model's first output looks made for: softmax cross entropy on [batch, classes], two classes at least;
 * sigmoid cross entropy behind a Sigmoid; mse else. That several numbers are no classes, only who made them knows.
 * Errors: those of decodeModel.
 */
export function fittingLoss(model: Uint8Array): LossName {
  return fittingLossOf(decodeModel(model));
}

export function fittingLossOf(model: Model): LossName {
  const { graph } = model;
  const output = graph.outputs[0]?.name;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  let maker = makers.get(output ?? "");
  for (let left = graph.nodes.length; maker?.opType === "Identity" && left > 0; left--) {
    maker = makers.get(maker.inputs[0] ?? "");
  }
  if (isOf(maker, "Sigmoid")) return "sigmoid-cross-entropy";
  if (isOf(maker, "Softmax") || isOf(maker, "LogSoftmax")) return "softmax-cross-entropy";
  const shape = graph.outputs[0]?.shape ?? shapeOf(model, graph, output);
  const classes = shape?.length === 2 ? shape[1] : undefined;
  const known = typeof classes === "number" ? classes : shapeOf(model, graph, output)?.[1];
  return shape?.length === 2 && typeof known === "number" && known >= 2 ? "softmax-cross-entropy" : "mse";
}

function isOf(node: Node | undefined, opType: string): boolean {
  return node?.domain === "" && node.opType === opType;
}

/** Where the file does not say it itself. */
function shapeOf(model: Model, graph: Graph, output: string | undefined) {
  const sorted = { ...model, graph: { ...graph, nodes: sortNodes(graph) } };
  return inferShapes(sorted).get(output ?? "")?.shape;
}
