import type * as tf from "@tensorflow/tfjs";

/** A weight of a layer, as TensorFlow.js keeps it. */
export type LayerWeight = tf.layers.Layer["weights"][number];

/**
 * The weights of a model by the names that its file has for them. TensorFlow 2 wrote the name of a cell between that of the layer and that
 * of the weight, which TensorFlow.js leaves out when it loads them.
 */
export function weightsByName(
  model: tf.LayersModel,
  names: readonly string[],
): ReadonlyMap<string, LayerWeight> {
  const known = new Map(
    model.layers.flatMap((layer) => layer.weights.map((weight) => [weight.originalName, weight] as const)),
  );
  const found = new Map<string, LayerWeight>();
  for (const name of names) {
    const parts = name.split("/");
    const weight = known.get(name) ?? known.get([...parts.slice(0, -2), ...parts.slice(-1)].join("/"));
    if (weight !== undefined) found.set(name, weight);
  }
  return found;
}

/** A layer inside a model, or inside a model that is a layer of it. */
export interface PlacedLayer {
  readonly layer: tf.layers.Layer;
  /** Names of the models that it lies in, and its own. */
  readonly path: string;
  /** Whether it, or a model that it lies in, is called several times. */
  readonly isShared: boolean;
}

/** Every layer that computes something itself. */
export function* placedLayers(model: tf.LayersModel, within = "", isShared = false): Generator<PlacedLayer> {
  for (const layer of model.layers) {
    const path = `${within}${layer.name}`;
    const inner = (layer as Partial<tf.LayersModel>).layers;
    // A model counts its own making as a call.
    const calls = layer.inboundNodes.length - (inner === undefined ? 0 : 1);
    const shared = isShared || calls > 1;
    if (inner === undefined) yield { layer, path, isShared: shared };
    else yield* placedLayers(layer as unknown as tf.LayersModel, `${path}/`, shared);
  }
}
