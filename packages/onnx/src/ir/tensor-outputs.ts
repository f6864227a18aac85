import type { Graph, Node, ValueInfo } from "./model.ts";

const LABELS = ["classlabels_int64s", "classlabels_strings"] as const;

/**
 * A graph whose outputs are tensors, as engines hand them over. scikit-learn's exporter ends a classifier with a ZipMap, which makes
 * a list of dictionaries of its probabilities: in its place the output is those probabilities, float32 `[batch, classes]`, in the
 * order of the classes. Any other output stays as it is, and a graph without such outputs is returned itself.
 */
export function withTensorOutputs(graph: Graph): Graph {
  const outputs = new Set(
    graph.outputs.filter(({ elementType }) => elementType === "undefined").map(({ name }) => name),
  );
  const maps = new Map(
    graph.nodes.filter(isZipMap).flatMap((node): readonly [string, Node][] => {
      const [name = ""] = node.outputs;
      // Read inside the graph too, it has to stay what it is.
      return outputs.has(name) && !graph.nodes.some(({ inputs }) => inputs.includes(name))
        ? [[name, node]]
        : [];
    }),
  );
  if (maps.size === 0) return graph;
  const batch = graph.inputs[0]?.shape?.[0] ?? "";
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (maps.get(node.outputs[0] ?? "") === node ? identity(node) : node)),
    outputs: graph.outputs.map((output): ValueInfo => {
      const map = maps.get(output.name);
      if (map === undefined) return output;
      return { name: output.name, elementType: "float32", shape: [batch, classesOf(map)] };
    }),
  };
}

function isZipMap({ domain, opType }: Node): boolean {
  return domain === "ai.onnx.ml" && opType === "ZipMap";
}

function identity({ name, inputs, outputs }: Node): Node {
  return { name, domain: "", opType: "Identity", inputs, outputs, attributes: new Map() };
}

function classesOf({ attributes }: Node): number | string {
  for (const label of LABELS) {
    const attribute = attributes.get(label);
    if (attribute?.type === "ints" || attribute?.type === "strings") return attribute.value.length;
  }
  return "";
}
