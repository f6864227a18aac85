import { inferenceBatchNorm, isTrainingBatchNorm } from "./batch-norm.ts";
import { readsOf } from "./graph-order.ts";
import type { Graph, Node } from "./model.ts";

/**
 * A graph exported in training mode as inference runs it: batch normalizations go by their running statistics, and no
 * Dropout drops anything. A graph in inference mode is returned as it is.
 */
export function inferenceGraph(graph: Graph): Graph {
  if (!graph.nodes.some((node) => isTrainingBatchNorm(node) || isTrainingDropout(node))) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    if (isTrainingBatchNorm(node)) return inferenceBatchNorm(node);
    // Without the input that says so, a Dropout passes everything.
    return isTrainingDropout(node) ? [{ ...node, inputs: node.inputs.slice(0, 1) }] : [node];
  });
  const read = new Set([...nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  const before = new Set(graph.nodes.flatMap(readsOf));
  const initializers = graph.initializers.filter(({ name }) => read.has(name) || !before.has(name));
  return { ...graph, nodes, initializers };
}

/** A running mean or variance of a batch normalization. */
export interface RunningStatistic {
  /** Initializer. */
  readonly name: string;
  readonly kind: "mean" | "variance";
  /** The file has the layer in training mode. */
  readonly training: boolean;
}

/** Running statistics of all batch normalizations, in the order of the nodes; each once. */
export function runningStatistics(graph: Graph): readonly RunningStatistic[] {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const found = new Map<string, RunningStatistic>();
  for (const node of graph.nodes) {
    if (node.domain !== "" || node.opType !== "BatchNormalization") continue;
    for (const [kind, name = ""] of [
      ["mean", node.inputs[3]],
      ["variance", node.inputs[4]],
    ] as const) {
      if (!constants.has(name)) continue;
      const training = isTrainingBatchNorm(node) || found.get(name)?.training === true;
      found.set(name, { name, kind, training });
    }
  }
  return [...found.values()];
}

function isTrainingDropout(node: Node): boolean {
  return node.domain === "" && node.opType === "Dropout" && (node.inputs[2] ?? "") !== "";
}
