import type { Graph, Node } from "../ir/model.ts";
import { readsOf } from "../ir/graph-order.ts";

/**
 * MaxPool(Relu(x)) as Relu(MaxPool(x)), which is the same number and the same gradient: the Relu and its backward pass
 * then work on the pooled values, a quarter of them or less.
 */
export function poolFirst(graph: Graph): Graph {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const reads = Map.groupBy(
    [...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)],
    (name) => name,
  );
  const replaced = new Map<Node, readonly Node[]>();
  for (const pool of graph.nodes) {
    const [between] = pool.inputs as [string];
    const relu = makers.get(between);
    if (!isOnly(pool, "MaxPool") || relu === undefined || !isOnly(relu, "Relu")) continue;
    if (reads.get(between)!.length > 1) continue;
    // The value between them keeps its name: nothing else reads it.
    replaced.set(relu, []);
    replaced.set(pool, [
      { ...pool, inputs: relu.inputs, outputs: [between] },
      { ...relu, inputs: [between], outputs: [pool.outputs[0]!] },
    ]);
  }
  return { ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}

/** A standard operator that gives one value. */
function isOnly(node: Node, opType: string): boolean {
  return node.domain === "" && node.opType === opType && node.outputs.slice(1).every((name) => name === "");
}
