import type { Graph, Node } from "../ir/model.ts";
import { indexGraph, isOp, onlyReader } from "./readers.ts";
import type { LinearSite } from "./weight-site.ts";

/** Move elements without computing: their result shares the scale of what they read. */
export const MOVERS = ["MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"];
/** Have integer kernels, worth it only between quantized neighbours. */
const FOLLOWERS = ["Add", "Concat", "AveragePool", "GlobalAveragePool"];

/**
 * The activations to hold as integers, each with the value whose range it takes. Every input of an integer
 * operator is one; the result of a Conv too, the result of a Gemm or MatMul only if integers read it again:
 * a model's last layer keeps float32.
 */
export function activationGroups(
  graph: Graph,
  sites: ReadonlyMap<Node, LinearSite>,
): ReadonlyMap<string, string> {
  const index = indexGraph(graph);
  const chosen = new Map<string, string>();
  const choose = (name: string, root = name): void => {
    if (!chosen.has(name)) chosen.set(name, chosen.get(root) ?? root);
  };
  // From the outputs up, what is needed: movers hand the need on to what they move.
  const needed = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    if (sites.has(node)) needed.add(node.inputs[0]!);
    else if (isOp(node, ...MOVERS) && needed.has(node.outputs[0]!)) needed.add(node.inputs[0]!);
  }
  for (const { name } of graph.inputs) if (needed.has(name)) choose(name);
  // From the inputs down, in the order of the graph: roots come before those who share with them.
  for (const node of graph.nodes) {
    const output = node.outputs[0]!;
    if (isOp(node, ...MOVERS)) {
      const from = chosen.get(node.inputs[0]!);
      if (from !== undefined && !index.outputs.has(output)) choose(output, from);
    } else if (isOp(node, ...FOLLOWERS)) {
      const between = node.inputs.every((name) => chosen.has(name));
      if (between && !index.outputs.has(output)) choose(clippedBy(index, output));
    } else if (sites.has(node) && node.opType === "Conv") {
      if (!index.outputs.has(output)) choose(clippedBy(index, output));
    }
    for (const name of node.outputs) if (needed.has(name) && !reluOf(index, name)) choose(name);
  }
  return chosen;
}

type Index = ReturnType<typeof indexGraph>;

/** A Relu or Clip behind an integer operator costs nothing: the range of its result is what gets a scale. */
function clippedBy(index: Index, name: string): string {
  return reluOf(index, name)?.outputs[0] ?? name;
}

function reluOf(index: Index, name: string): Node | undefined {
  const reader = onlyReader(index, name);
  return isOp(reader, "Relu", "Clip") && reader.inputs[0] === name ? reader : undefined;
}
