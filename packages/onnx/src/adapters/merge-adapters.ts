import { failure } from "@tributary/core";
import { decodeModel } from "../ir/decode.ts";
import { encodeModel } from "../ir/encode.ts";
import type { Node, TensorValue } from "../ir/model.ts";
import { floatTensor, floatValues } from "../ir/tensor-value.ts";
import { PARAMETERS_KEY } from "../parameter-list.ts";
import { addFactors } from "./adapted-operator.ts";
import { ADAPTERS_KEY, adapterValues, outputOfBase, readAdapterList, scaleName } from "./adapter-list.ts";

/**
 * The inverse of {@link addLowRankAdapters} after training: W + alpha / rank * A·B in place of each weight and its
 * adapter, and the graph as it was before. Errors: `onnx/invalid-model` where the model has no adapters, or parts of
 * them are missing; those of decodeModel.
 */
export function mergeLowRankAdapters(model: Uint8Array): Uint8Array<ArrayBuffer> {
  const decoded = decodeModel(model);
  const metadata = decoded.metadata.find(({ key }) => key === ADAPTERS_KEY);
  if (metadata === undefined) {
    throw failure("onnx/invalid-model", "onnx: the model has no low-rank adapters to merge");
  }
  const { graph } = decoded;
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const merged = new Map<string, TensorValue>();
  const dropped = new Set<string>();
  for (const entry of readAdapterList(metadata.value)) {
    const weight = part(tensors, entry.weight);
    const [a, b] = [part(tensors, entry.a), part(tensors, entry.b)];
    const reader = graph.nodes.find((node) => isBase(node) && node.inputs[1] === weight.name);
    if (reader === undefined) {
      throw failure("onnx/invalid-model", `onnx: no adapted node reads "${weight.name}"`);
    }
    const values = addFactors(
      reader,
      { tensor: weight, values: floatValues(weight) },
      floatValues(a),
      floatValues(b),
      entry.scaling,
    );
    merged.set(weight.name, floatTensor(weight.name, weight.dims, values));
    for (const name of [entry.a, entry.b, scaleName(entry)]) dropped.add(name);
  }
  const adapted = graph.nodes.filter(isBase).map((node) => outputOfBase(node.outputs[0]!)!);
  const added = new Set(
    adapted.flatMap((output) => {
      const { hidden, part: own, scaled } = adapterValues(output);
      return [output, hidden, own, scaled];
    }),
  );
  const nodes = graph.nodes
    .filter(({ outputs }) => !added.has(outputs[0] ?? ""))
    .map((node) => (isBase(node) ? { ...node, outputs: [outputOfBase(node.outputs[0]!)!] } : node));
  return encodeModel({
    ...decoded,
    // A list of the adapters' parameters would name what is no longer there.
    metadata: decoded.metadata.filter(({ key }) => key !== ADAPTERS_KEY && key !== PARAMETERS_KEY),
    graph: {
      ...graph,
      nodes,
      initializers: graph.initializers
        .filter(({ name }) => !dropped.has(name))
        .map((tensor) => merged.get(tensor.name) ?? tensor),
    },
  });
}

function isBase(node: Node): boolean {
  return outputOfBase(node.outputs[0] ?? "") !== undefined;
}

function part(tensors: ReadonlyMap<string, TensorValue>, name: string): TensorValue {
  const tensor = tensors.get(name);
  if (tensor?.elementType === "float32") return tensor;
  throw failure(
    "onnx/invalid-model",
    `onnx: "${name}" of a low-rank adapter is not in the model; bind its weights before merging`,
  );
}
