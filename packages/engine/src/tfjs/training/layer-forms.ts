import * as tf from "@tensorflow/tfjs";
import { failure } from "@tributary/core";
import type { TfjsTrainingStep } from "@tributary/protocol";
import { placedLayers, type LayerWeight } from "../layer-weights.ts";

/** Masks of one run, by their inputs. */
export type Masks = ReadonlyMap<string, tf.Tensor>;

/**
 * Gives a model's layers the form that plans train them in: a Dropout takes the mask that is fed, and a batch normalization normalizes
 * by the batch where its statistics are moved, else by them. Neither asks whether TensorFlow.js itself is training, so that dropouts
 * come from the plan's seed, and layers without scale or centre train too, which TensorFlow.js's own do not.
 *
 * @param masks those of the run under way
 * @throws `engine/invalid-artifact` for layers that the step names and the model has not
 */
export function trainingForms(
  model: tf.LayersModel,
  { spec, movedStatistics, dropoutLayers }: TfjsTrainingStep,
  weights: ReadonlyMap<string, LayerWeight>,
  masks: () => Masks,
): void {
  const moved = new Set(movedStatistics.map((name) => weights.get(name)?.id));
  const dropouts = new Map(
    (spec.dropouts ?? []).map(({ input, ratio }) => [dropoutLayers[input], { input, ratio }]),
  );
  for (const { layer, path } of placedLayers(model)) {
    if (layer.getClassName() === "BatchNormalization") {
      layer.call = batchNormalization(layer, (weight) => moved.has(weight.id));
    } else if (layer.getClassName() === "Dropout") {
      const dropout = dropouts.get(path);
      dropouts.delete(path);
      layer.call = (inputs) => {
        const x = only(inputs);
        if (dropout === undefined) return x;
        return tf.mul(x, tf.mul(masks().get(dropout.input)!, 1 / (1 - dropout.ratio)));
      };
    }
  }
  const [missing] = dropouts.keys();
  if (missing === undefined) return;
  throw failure(
    "engine/invalid-artifact",
    `tfjs: the step names a Dropout "${missing}", which the model lacks`,
  );
}

/** As ONNX plans compute it: the batch's own variance divides by its count, and moves the running one undivided. */
function batchNormalization(
  layer: tf.layers.Layer,
  isMoved: (weight: LayerWeight) => boolean,
): tf.layers.Layer["call"] {
  const { axis, momentum, epsilon } = layer.getConfig() as Record<"axis" | "momentum" | "epsilon", number>;
  const named = (ending: string) =>
    layer.weights.find(({ originalName }) => originalName.endsWith(`/${ending}`));
  const [gamma, beta] = [named("gamma"), named("beta")];
  const [mean, variance] = layer.weights.slice(-2) as [LayerWeight, LayerWeight];
  return (inputs) => {
    const x = only(inputs);
    const channels = axis < 0 ? axis + x.rank : axis;
    const shape = x.shape.map((size, i) => (i === channels ? size : 1));
    const spread = (value: tf.Tensor): tf.Tensor => tf.reshape(value, shape);
    const others = [...x.shape.keys()].filter((i) => i !== channels);
    const byBatch = isMoved(mean);
    const centred = tf.sub(x, spread(byBatch ? tf.mean(x, others) : mean.read()));
    const width = byBatch ? tf.mean(tf.square(centred), others) : variance.read();
    if (byBatch) {
      move(mean, tf.mean(x, others), momentum);
      move(variance, width, momentum);
    }
    const normal = tf.div(centred, tf.sqrt(tf.add(spread(width), epsilon)));
    const scaled = gamma === undefined ? normal : tf.mul(normal, spread(gamma.read()));
    return beta === undefined ? scaled : tf.add(scaled, spread(beta.read()));
  };
}

/** momentum · running + (1 - momentum) · batch */
function move(running: LayerWeight, batch: tf.Tensor, momentum: number): void {
  const next = tf.add(tf.mul(running.read(), momentum), tf.mul(batch, 1 - momentum));
  (running.read() as tf.Variable).assign(next);
}

function only(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return Array.isArray(inputs) ? inputs[0]! : inputs;
}
