import { failure } from "@tributary/core";
import type { Model, Node, TensorValue } from "./model.ts";

/** Which parameters are trained: all that can be, or those named. */
export type Trainable = "all" | readonly string[];

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
 * least one axis, read by a node as a weight. `trainable` narrows them down.
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
  if (trainable === "all") return candidates;
  const wanted = new Set(trainable);
  const chosen = candidates.filter(({ name }) => wanted.delete(name));
  const [missing] = wanted;
  if (missing !== undefined) {
    throw failure(
      "onnx/nothing-trainable",
      `onnx: no trainable parameter is called "${missing}"; there are ${candidates.map(({ name }) => name).join(", ")}`,
    );
  }
  return chosen;
}
