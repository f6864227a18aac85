import { intAttribute } from "../ir/attributes.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatTensor, floatValues } from "../ir/tensor-value.ts";
import { floatConstant, indexGraph, isOp } from "./readers.ts";

/** Constant weights of Gemm as [K, N]: runtimes that do not pack integers transpose them again at every run. */
export function transposeWeights(graph: Graph): Graph {
  const index = indexGraph(graph);
  const turned = new Map<string, TensorValue>();
  const nodes = graph.nodes.map((node): Node => {
    if (!isOp(node, "Gemm") || intAttribute(node, "transB", 0) !== 1) return node;
    const weight = floatConstant(index, node.inputs[1]);
    if (weight?.dims.length !== 2) return node;
    const readers = index.readers.get(weight.name) ?? [];
    if (readers.length > 1 || index.outputs.has(weight.name)) return node;
    const [rows, columns] = [weight.dims[0]!, weight.dims[1]!];
    const values = transposed(floatValues(weight), rows, columns);
    turned.set(weight.name, floatTensor(weight.name, [columns, rows], values));
    const attributes = new Map([...node.attributes].filter(([name]) => name !== "transB"));
    return { ...node, attributes };
  });
  return {
    ...graph,
    nodes,
    initializers: graph.initializers.map((tensor) => turned.get(tensor.name) ?? tensor),
  };
}

/** Of a matrix in row order. */
export function transposed<T extends Float32Array | Int16Array>(values: T, rows: number, columns: number): T {
  const result = values.slice() as T;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c]!;
  }
  return result;
}
