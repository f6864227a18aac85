import type { Graph, Node } from "../ir/model.ts";
import { freshName, indexGraph, isOp, onlyReader, valueNames } from "./readers.ts";

/** Relu(MaxPool(x)) = MaxPool(Relu(x)): in that order the Relu merges with the quantization of what is before it. */
export function hoistRelu(graph: Graph): Graph {
  const index = indexGraph(graph);
  const taken = valueNames(graph);
  const replaced = new Map<Node, readonly Node[]>();
  for (const pool of graph.nodes) {
    if (!isOp(pool, "MaxPool") || pool.outputs.slice(1).some((name) => name !== "")) continue;
    const relu = onlyReader(index, pool.outputs[0]!);
    const maker = index.makers.get(pool.inputs[0]!);
    if (!isOp(relu, "Relu") || !isOp(maker, "Conv") || onlyReader(index, pool.inputs[0]!) !== pool) continue;
    const clipped = freshName(taken, `${pool.inputs[0]}.relu`);
    replaced.set(pool, [
      { ...relu, inputs: [pool.inputs[0]!], outputs: [clipped] },
      { ...pool, inputs: [clipped], outputs: [relu.outputs[0]!] },
    ]);
    replaced.set(relu, []);
  }
  return { ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}
