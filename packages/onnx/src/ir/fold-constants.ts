import type { ShapeTable } from "./fact.ts";
import type { Graph, Node, TensorValue } from "./model.ts";
import { floatTensor, int64Tensor, int32Tensor } from "./tensor-value.ts";

/** Constant nodes as initializers, which is the one form that later steps look at. */
export function constantsToInitializers(graph: Graph): Graph {
  const initializers = [...graph.initializers];
  const nodes = graph.nodes.filter((node) => {
    const constant = node.domain === "" && node.opType === "Constant" ? constantOf(node) : undefined;
    if (constant === undefined) return true;
    initializers.push(constant);
    return false;
  });
  return { ...graph, nodes, initializers };
}

function constantOf(node: Node): TensorValue | undefined {
  const name = node.outputs[0];
  const [value] = node.attributes.values();
  if (name === undefined || value === undefined) return undefined;
  switch (value.type) {
    case "tensor":
      return { ...value.value, name };
    case "int":
      return int64Tensor(name, [], [value.value]);
    case "ints":
      return int64Tensor(name, [value.value.length], value.value);
    case "float":
      return floatTensor(name, [], [value.value]);
    case "floats":
      return floatTensor(name, [value.value.length], value.value);
    default:
      return undefined;
  }
}

/** Replaces nodes whose integer results are known (shape arithmetic) by constants. */
export function foldShapeValues(graph: Graph, facts: ShapeTable): Graph {
  const initializers = [...graph.initializers];
  const nodes = graph.nodes.filter((node) => {
    const [name, ...others] = node.outputs;
    const fact = others.length === 0 && name !== undefined ? facts.get(name) : undefined;
    const { values, shape, elementType } = fact ?? {};
    if (name === undefined || values === undefined || shape === undefined) return true;
    if (!values.every((value) => typeof value === "number")) return true;
    if (!shape.every((dim) => typeof dim === "number")) return true;
    if (elementType !== "int64" && elementType !== "int32") return true;
    const make = elementType === "int64" ? int64Tensor : int32Tensor;
    initializers.push(make(name, shape, values));
    return false;
  });
  return { ...graph, nodes, initializers };
}
