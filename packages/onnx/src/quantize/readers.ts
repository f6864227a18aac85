import { readsOf } from "../ir/graph-order.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";

/** Who makes and who reads each value of a graph. */
export interface GraphIndex {
  readonly makers: ReadonlyMap<string, Node>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  readonly constants: ReadonlyMap<string, TensorValue>;
  readonly outputs: ReadonlySet<string>;
}

export function indexGraph(graph: Graph): GraphIndex {
  const makers = new Map<string, Node>();
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) if (name !== "") makers.set(name, node);
    for (const name of new Set(readsOf(node))) {
      const list = readers.get(name);
      if (list === undefined) readers.set(name, [node]);
      else list.push(node);
    }
  }
  return {
    makers,
    readers,
    constants: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
    outputs: new Set(graph.outputs.map(({ name }) => name)),
  };
}

/** The one node that reads a value, if no other does and it is no output of the graph. */
export function onlyReader(index: GraphIndex, name: string): Node | undefined {
  const readers = index.readers.get(name) ?? [];
  return readers.length === 1 && !index.outputs.has(name) ? readers[0] : undefined;
}

/** A standard operator of this type. */
export function isOp(
  node: Node | undefined,
  ...opTypes: readonly string[]
): node is Node & { readonly domain: "" } {
  return node !== undefined && node.domain === "" && opTypes.includes(node.opType);
}

/** A constant float32 tensor of that name. */
export function floatConstant(index: GraphIndex, name: string | undefined): TensorValue | undefined {
  const tensor = name === undefined ? undefined : index.constants.get(name);
  return tensor?.elementType === "float32" ? tensor : undefined;
}

/** `base`, or `base.1`, `base.2`, …: the first that is not taken; it is taken now. */
export function freshName(taken: Set<string>, base: string): string {
  let name = base;
  for (let i = 1; taken.has(name); i++) name = `${base}.${i}`;
  taken.add(name);
  return name;
}

/** All names of values in a graph. */
export function valueNames(graph: Graph): Set<string> {
  return new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
    ...graph.nodes.flatMap((node) => [...node.outputs, ...readsOf(node)]),
  ]);
}
