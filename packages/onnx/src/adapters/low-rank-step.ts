import type { ParameterSet } from "@tributary/tensor";
import { parameterSet, parameterView } from "@tributary/tensor";
import { decodeModel } from "../ir/decode.ts";
import { encodeModel } from "../ir/encode.ts";
import type { Node, TensorValue } from "../ir/model.ts";
import { floatTensor, floatValues } from "../ir/tensor-value.ts";
import type { AdaptedModel } from "./add-adapters.ts";
import { addLowRankAdapters } from "./add-adapters.ts";
import { addFactors } from "./adapted-operator.ts";
import { ADAPTERS_KEY, readAdapterList } from "./adapter-list.ts";
import type { LowRankOptions } from "./choose-adapters.ts";
import { chooseAdapters } from "./choose-adapters.ts";

/**
 * A model whose trained parameters all begin at zero, for rounds that each begin at the weights of a version: B as
 * in {@link addLowRankAdapters}, and where A is trained, what is added to its random start. The start itself is a
 * constant of the model, so that nobody needs to be sent it. Errors as there.
 */
export function lowRankTrainingModel(model: Uint8Array, options: LowRankOptions): AdaptedModel {
  const adapted = addLowRankAdapters(model, options);
  if (options.freezeA !== false) return adapted;
  const decoded = decodeModel(adapted.model);
  const { graph } = decoded;
  const list = decoded.metadata.find(({ key }) => key === ADAPTERS_KEY)!;
  const trained = new Set(readAdapterList(list.value).map(({ a }) => a));
  const initializers = graph.initializers.flatMap((tensor): TensorValue[] =>
    trained.has(tensor.name)
      ? [{ ...tensor, name: startOf(tensor.name) }, floatTensor(tensor.name, tensor.dims, zerosFor(tensor))]
      : [tensor],
  );
  const sums = [...trained].map((name): Node => ({
    name: sumOf(name),
    domain: "",
    opType: "Add",
    inputs: [startOf(name), name],
    outputs: [sumOf(name)],
    attributes: new Map(),
  }));
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (trained.has(name) ? sumOf(name) : name)),
  }));
  return {
    model: encodeModel({ ...decoded, graph: { ...graph, initializers, nodes: [...sums, ...nodes] } }),
    trainable: adapted.trainable,
  };
}

/**
 * What a step of the adapters is as a step of the weights: alpha / rank * (A + its step)·(step of B), for each adapted
 * weight in the file's order, in float64 and rounded once. `step` holds the trained parameters of
 * {@link lowRankTrainingModel} for the same model and options; weights plus the result are what
 * {@link mergeLowRankAdapters} would give. Errors: as addLowRankAdapters, `tensor/missing`.
 */
export function lowRankStep(model: Uint8Array, options: LowRankOptions, step: ParameterSet): ParameterSet {
  const decoded = decodeModel(model);
  const { entries, weights, factors } = chooseAdapters(decoded, options);
  const starts = new Map(factors.map((tensor) => [tensor.name, tensor]));
  const schema = entries.map(({ weight }) => ({ name: weight, shape: weights.get(weight)!.dims }));
  const result = parameterSet(schema);
  for (const { weight, a, b, scaling, frozenA } of entries) {
    const reader = decoded.graph.nodes.find(({ inputs }) => inputs[1] === weight)!;
    const tensor = weights.get(weight)!;
    const first = floatValues(starts.get(a)!);
    const trained = frozenA ? undefined : parameterView(step, a);
    const sum = trained === undefined ? first : first.map((value, i) => value + trained[i]!);
    const view = parameterView(result, weight);
    view.set(addFactors(reader, { tensor, values: view }, sum, parameterView(step, b), scaling));
  }
  return result;
}

function startOf(a: string): string {
  return `${a}_start`;
}

function sumOf(a: string): string {
  return `${a}_sum`;
}

function zerosFor({ dims }: TensorValue): Float32Array {
  return new Float32Array(dims.reduce((product, size) => product * size, 1));
}
