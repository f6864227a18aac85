import type * as tf from "@tensorflow/tfjs";
import type { TfjsTraining } from "@tributary/protocol";
import { placedLayers, weightsByName } from "./layer-weights.ts";

/**
 * What a model tells of its training: read when it is packed, so that plans are made where there is no TensorFlow.js. Dropouts of
 * layers that are called several times are left out: a plan names one mask for each.
 *
 * @param names of the weights, as its file calls them
 */
export function trainingFacts(model: tf.LayersModel, names: readonly string[]): TfjsTraining {
  const byName = [...weightsByName(model, names)];
  const nameOf = new Map(byName.map(([name, weight]) => [weight.id, name]));
  const learns = new Set(model.trainableWeights.map(({ id }) => id));
  const statistics: TfjsTraining["statistics"][number][] = [];
  const dropouts: TfjsTraining["dropouts"][number][] = [];
  for (const { layer, path, isShared } of placedLayers(model)) {
    const config = layer.getConfig();
    switch (layer.getClassName()) {
      case "BatchNormalization": {
        const [mean, variance] = layer.weights.slice(-2).map(({ id }) => nameOf.get(id));
        if (mean !== undefined && variance !== undefined) {
          statistics.push({ mean, variance, trainable: layer.trainable });
        }
        break;
      }
      case "Dropout": {
        const shape = layer.outputShape as readonly (number | null)[];
        const { rate: ratio, noiseShape } = config as {
          readonly rate: number;
          readonly noiseShape?: unknown;
        };
        // With a shape for the noise, whole parts of what passes are dropped together.
        if (isShared || (noiseShape ?? null) !== null || Array.isArray(shape[0])) break;
        // TensorFlow.js drops nothing at a rate of 1.
        if (ratio > 0 && ratio < 1)
          dropouts.push({ layer: path, shape: shape.map((size) => size ?? -1), ratio });
        break;
      }
    }
  }
  return {
    trainable: byName.flatMap(([name, { id }]) => (learns.has(id) ? [name] : [])),
    statistics,
    dropouts,
  };
}
