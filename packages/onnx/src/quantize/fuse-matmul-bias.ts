import type { Graph, Model, Node } from "../ir/model.ts";
import { inferShapes } from "../ir/shapes.ts";
import { floatConstant, indexGraph, isOp, onlyReader } from "./readers.ts";

/** MatMul of a matrix and a constant, then Add of a constant row: one Gemm, which has an integer kernel with bias. */
export function fuseMatMulBias(model: Model): Graph {
  const { graph } = model;
  const index = indexGraph(graph);
  const facts = inferShapes(model);
  const replaced = new Map<Node, Node | undefined>();
  for (const matmul of graph.nodes) {
    if (!isOp(matmul, "MatMul")) continue;
    const weight = floatConstant(index, matmul.inputs[1]);
    const add = onlyReader(index, matmul.outputs[0]!);
    if (weight?.dims.length !== 2 || !isOp(add, "Add")) continue;
    if (facts.get(matmul.inputs[0]!)?.shape?.length !== 2) continue;
    const bias = floatConstant(
      index,
      add.inputs.find((name) => name !== matmul.outputs[0]),
    );
    if (bias === undefined || bias.dims.length > 2) continue;
    if (bias.dims.at(-1) !== weight.dims[1] || (bias.dims.length === 2 && bias.dims[0] !== 1)) continue;
    replaced.set(matmul, undefined);
    replaced.set(add, {
      ...add,
      opType: "Gemm",
      inputs: [matmul.inputs[0]!, weight.name, bias.name],
    });
  }
  const nodes = graph.nodes.flatMap((node) => {
    if (!replaced.has(node)) return [node];
    const other = replaced.get(node);
    return other === undefined ? [] : [other];
  });
  return { ...graph, nodes };
}
