import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatTensor, floatValues, integerValues } from "../ir/tensor-value.ts";
import { floatConstant, freshName, indexGraph, isOp, onlyReader, valueNames } from "./readers.ts";

/** A Reshape of a constant is a constant; some exporters keep dense weights in the shape of the pixels before. */
export function foldReshapes(graph: Graph): Graph {
  const index = indexGraph(graph);
  const folded: TensorValue[] = [];
  const nodes = graph.nodes.filter((node) => {
    if (!isOp(node, "Reshape") || node.attributes.has("allowzero")) return true;
    const tensor = floatConstant(index, node.inputs[0]);
    const shape = index.constants.get(node.inputs[1] ?? "");
    const sizes = shape === undefined ? undefined : integerValues(shape);
    if (tensor === undefined || sizes === undefined || index.outputs.has(node.outputs[0]!)) return true;
    const dims = sizes.map((size, i) => (size === 0 ? (tensor.dims[i] ?? 0) : size));
    const known = dims.filter((size) => size !== -1).reduce((a, b) => a * b, 1);
    const count = tensor.dims.reduce((a, b) => a * b, 1);
    const whole = dims.map((size) => (size === -1 ? count / known : size));
    if (whole.reduce((a, b) => a * b, 1) !== count) return true;
    folded.push({ ...tensor, name: node.outputs[0]!, dims: whole });
    return false;
  });
  return { ...graph, nodes, initializers: [...graph.initializers, ...folded] };
}

/** Conv without bias, then Add of one value a channel: the bias goes into the Conv, as integer kernels want it. */
export function fuseConvBias(graph: Graph): Graph {
  const index = indexGraph(graph);
  const taken = valueNames(graph);
  const added: TensorValue[] = [];
  const replaced = new Map<Node, readonly Node[]>();
  for (const conv of graph.nodes) {
    if (!isOp(conv, "Conv") || (conv.inputs[2] ?? "") !== "") continue;
    const weight = floatConstant(index, conv.inputs[1]);
    const add = onlyReader(index, conv.outputs[0]!);
    if (weight === undefined || !isOp(add, "Add")) continue;
    const bias = floatConstant(
      index,
      add.inputs.find((name) => name !== conv.outputs[0]),
    );
    const [channels, spatial] = [weight.dims[0]!, weight.dims.length - 2];
    if (bias === undefined || !isPerChannel(bias.dims, channels, spatial)) continue;
    const flat = floatTensor(freshName(taken, `${bias.name}.flat`), [channels], floatValues(bias));
    added.push(flat);
    replaced.set(conv, []);
    replaced.set(add, [{ ...conv, inputs: [...conv.inputs.slice(0, 2), flat.name], outputs: add.outputs }]);
  }
  const nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
  return { ...graph, nodes, initializers: [...graph.initializers, ...added] };
}

/** [C, 1, 1] or [1, C, 1, 1]; a plain [C] would add along the last axis. */
function isPerChannel(dims: readonly number[], channels: number, spatial: number): boolean {
  const at = dims.length - spatial - 1;
  return (at === 0 || at === 1) && dims.every((dim, i) => dim === (i === at ? channels : 1));
}
