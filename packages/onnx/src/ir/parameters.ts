import { failure } from "@tributary/core";
import { ADAPTERS_KEY, readAdapterList, trainedFactors } from "../adapters/adapter-list.ts";
import { isTrainingBatchNorm } from "./batch-norm.ts";
import type { Graph, Model, Node, TensorValue } from "./model.ts";
import { weightNames } from "./weight-names.ts";

/**
 * Which parameters are trained: all that can be, those named (`*` stands for any text: `encoder.*.bias`), or those
 * that a function picks.
 */
export type Trainable = "all" | readonly string[] | ((name: string, shape: readonly number[]) => boolean);

/**
 * The initializers that count as parameters, in file order, which is the canonical order: float32, at least one axis,
 * read as a weight (see {@link weightNames}) or, by a batch normalization in training mode, as its running statistics.
 * `trainable` narrows them down; "all" of a model with low-rank adapters are
 * those; names written out may be any float32 initializer. Constant nodes must be initializers already.
 * Errors: `onnx/nothing-trainable` (also where a name is not a parameter).
 */
export function trainableInitializers(model: Model, trainable: Trainable = "all"): TensorValue[] {
  const { graph } = model;
  const floats = graph.initializers.filter(({ elementType }) => elementType === "float32");
  const weights = new Set([...weightNames(graph), ...statisticNames(graph, isTrainingBatchNorm)]);
  const candidates = floats.filter(({ name, dims }) => dims.length > 0 && weights.has(name));
  if (trainable === "all") {
    const adapters = model.metadata.find(({ key }) => key === ADAPTERS_KEY);
    if (adapters === undefined) return candidates;
    const factors = new Set(trainedFactors(readAdapterList(adapters.value)));
    return floats.filter(({ name }) => factors.has(name));
  }
  if (typeof trainable === "function") return candidates.filter(({ name, dims }) => trainable(name, dims));
  const names = candidates.map(({ name }) => name);
  const all = new Set(floats.map(({ name }) => name));
  const wanted = new Set(
    trainable.flatMap((pattern) => {
      const matches = all.has(pattern) ? [pattern] : matchesOf(pattern, names);
      if (matches.length > 0) return matches;
      throw notTrainable(graph, pattern, names);
    }),
  );
  return floats.filter(({ name }) => wanted.has(name));
}

function notTrainable(graph: Graph, pattern: string, names: readonly string[]): Error {
  const other = graph.initializers.find(({ name }) => name === pattern);
  return failure(
    "onnx/nothing-trainable",
    other === undefined
      ? `onnx: no trainable parameter is called "${pattern}"; there are ${names.join(", ")}`
      : `onnx: "${pattern}" is ${other.elementType}, and only float32 is trained; train the float model and quantize the result`,
  );
}

/** Running means and variances of the batch normalizations that are picked. */
export function statisticNames(
  graph: Graph,
  picked: (node: Node) => boolean = (node) => node.domain === "" && node.opType === "BatchNormalization",
): ReadonlySet<string> {
  return new Set(graph.nodes.filter(picked).flatMap(({ inputs }) => inputs.slice(3, 5)));
}

/** Names that a pattern means: itself, or with `*` for any text. */
export function matchesOf(pattern: string, names: readonly string[]): readonly string[] {
  if (names.includes(pattern)) return [pattern];
  if (!pattern.includes("*")) return [];
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop() ?? "";
  return names.filter((name) => {
    if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length) {
      return false;
    }
    // The leftmost place for each piece leaves the most room for the others.
    let at = head.length;
    for (const piece of rest) {
      const found = name.indexOf(piece, at);
      if (found < 0 || found + piece.length > name.length - tail.length) return false;
      at = found + piece.length;
    }
    return true;
  });
}
