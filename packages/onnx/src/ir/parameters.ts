import { failure } from "@tributary/core";
import { ADAPTERS_KEY, readAdapterList, trainedFactors } from "../adapters/adapter-list.ts";
import type { Model, Node, TensorValue } from "./model.ts";

/**
 * Which parameters are trained: all that can be, those named (`*` stands for any text: `encoder.*.bias`), or those
 * that a function picks.
 */
export type Trainable = "all" | readonly string[] | ((name: string, shape: readonly number[]) => boolean);

/** Input positions that hold settings or statistics, not weights, however float they are. */
const SETTINGS: ReadonlyMap<string, (index: number) => boolean> = new Map([
  ["BatchNormalization", (index: number) => index >= 3],
  ["Clip", (index: number) => index >= 1],
  ["DequantizeLinear", () => true],
  ["Dropout", (index: number) => index >= 1],
  ["Pad", (index: number) => index >= 1],
  ["QuantizeLinear", () => true],
  ["Range", () => true],
  ["Resize", (index: number) => index >= 1],
  ["Upsample", (index: number) => index >= 1],
]);

function isWeight(node: Node, index: number): boolean {
  return node.domain === "" && SETTINGS.get(node.opType)?.(index) !== true;
}

/**
 * The initializers that count as parameters, in file order, which is the canonical order: float32, at
 * least one axis, read by a node as a weight. `trainable` narrows them down; "all" of a model with low-rank adapters are
 * those.
 * Errors: `onnx/nothing-trainable` (also where a name is not a parameter).
 */
export function trainableInitializers(model: Model, trainable: Trainable = "all"): TensorValue[] {
  const { graph } = model;
  const weights = new Set(
    graph.nodes.flatMap((node) => node.inputs.filter((_, index) => isWeight(node, index))),
  );
  const candidates = graph.initializers.filter(
    ({ name, elementType, dims }) => elementType === "float32" && dims.length > 0 && weights.has(name),
  );
  if (trainable === "all") {
    const adapters = model.metadata.find(({ key }) => key === ADAPTERS_KEY);
    if (adapters === undefined) return candidates;
    const factors = new Set(trainedFactors(readAdapterList(adapters.value)));
    return candidates.filter(({ name }) => factors.has(name));
  }
  if (typeof trainable === "function") return candidates.filter(({ name, dims }) => trainable(name, dims));
  const names = candidates.map(({ name }) => name);
  const wanted = new Set(
    trainable.flatMap((pattern) => {
      const matches = matchesOf(pattern, names);
      if (matches.length > 0) return matches;
      throw failure(
        "onnx/nothing-trainable",
        `onnx: no trainable parameter is called "${pattern}"; there are ${names.join(", ")}`,
      );
    }),
  );
  return candidates.filter(({ name }) => wanted.has(name));
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
