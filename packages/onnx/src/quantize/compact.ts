import { readsOf } from "../ir/graph-order.ts";
import type { Attribute, Graph, Node } from "../ir/model.ts";

/**
 * Short names for everything but inputs and outputs, and no records of shapes: in a model of some ten
 * kilobytes the exporter's names take more room than the biases. Graphs with subgraphs keep their names.
 */
export function compactNames(graph: Graph): Graph {
  const nested = graph.nodes.some(({ attributes }) =>
    [...attributes.values()].some(({ type }) => type === "graph" || type === "graphs"),
  );
  if (nested) return { ...graph, valueInfo: [] };
  const ports = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const names = new Map<string, string>();
  let count = 0;
  const short = (name: string): string => {
    if (name === "" || ports.has(name)) return name;
    let alias = names.get(name);
    while (alias === undefined || ports.has(alias)) alias = (count++).toString(36);
    names.set(name, alias);
    return alias;
  };
  const nodes = graph.nodes.map((node): Node => ({
    ...node,
    name: "",
    attributes: withoutDefaults(node),
    inputs: node.inputs.map(short),
    outputs: node.outputs.map(short),
  }));
  const initializers = graph.initializers.map((tensor) => ({ ...tensor, name: short(tensor.name) }));
  return { ...graph, nodes, initializers, valueInfo: [] };
}

/** Attributes of windows and products that say what holds without them. */
function withoutDefaults(node: Node): Node["attributes"] {
  if (node.domain !== "") return node.attributes;
  return new Map([...node.attributes].filter(([name, value]) => !isDefault(node, name, value)));
}

function isDefault({ opType }: Node, name: string, attribute: Attribute): boolean {
  if (["Conv", "ConvInteger", "MaxPool"].includes(opType)) {
    if (name === "kernel_shape") return opType !== "MaxPool";
    if (name === "group") return attribute.type === "int" && attribute.value === 1n;
    if (attribute.type !== "ints") return false;
    if (name === "pads") return attribute.value.every((pad) => pad === 0n);
    return (name === "dilations" || name === "strides") && attribute.value.every((step) => step === 1n);
  }
  const one = attribute.type === "float" && attribute.value === 1;
  return opType === "Gemm" && one && (name === "alpha" || name === "beta");
}

/** Initializers that something reads. */
export function usedInitializers(graph: Graph): Graph {
  const read = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  return { ...graph, initializers: graph.initializers.filter(({ name }) => read.has(name)) };
}
