import type { TfjsTrainingStep } from "@tributary/protocol";
import { readTfjsArtifact, splitTfjs, stepArtifact } from "../../src/tfjs/artifact.ts";
import { packSequential, randomWeight } from "./layers-model.ts";

export const BATCH = 4;
const float = (name: string, shape: readonly number[]) => ({ name, dtype: "float32" as const, shape });

/** A model of an embedding, a depthwise convolution and a max pooling: what the WASM backend has no gradients of by itself. */
export async function smallStep() {
  const weights = [
    randomWeight("words/embeddings", [12, 6]),
    randomWeight("depth/depthwise_kernel", [2, 2, 1, 2]),
    randomWeight("depth/bias", [2]),
    randomWeight("scores/kernel", [8, 3]),
    randomWeight("scores/bias", [3]),
  ];
  const packed = await packSequential(
    [
      {
        class_name: "Embedding",
        config: { name: "words", input_dim: 12, output_dim: 6, batch_input_shape: [null, 5] },
      },
      { class_name: "Reshape", config: { name: "image", target_shape: [5, 6, 1] } },
      { class_name: "DepthwiseConv2D", config: { name: "depth", kernel_size: [2, 2], depth_multiplier: 2 } },
      { class_name: "MaxPooling2D", config: { name: "pool", pool_size: [2, 2] } },
      { class_name: "Dropout", config: { name: "drop", rate: 0.25 } },
      { class_name: "Flatten", config: { name: "flat" } },
      {
        class_name: "Dense",
        config: {
          name: "scores",
          units: 3,
          kernel_regularizer: { class_name: "L1L2", config: { l1: 0, l2: 0.01 } },
        },
      },
    ],
    weights,
  );
  const { graph, parameters: base } = splitTfjs(packed);
  const { model } = readTfjsArtifact(graph);
  const [dropout] = model.training!.dropouts;
  const spec: TfjsTrainingStep["spec"] = {
    kind: "train",
    batchSize: BATCH,
    features: float("words_input", [BATCH, 5]),
    labels: { name: "labels", dtype: "int32", shape: [BATCH] },
    sampleWeights: float("weights", [BATCH]),
    lossSum: "loss",
    correct: "correct",
    learningRate: float("rate", []),
    parameters: base.schema.map(({ name, shape }) => ({
      name,
      shape: [...shape],
      input: name,
      output: `next.${name}`,
    })),
    dropouts: [{ input: "mask", shape: [BATCH, ...dropout!.shape.slice(1)], ratio: dropout!.ratio }],
  };
  const step = stepArtifact(graph, model, {
    kind: "train",
    spec,
    losses: [{ kind: "softmax-cross-entropy", output: "scores", labels: "labels", weight: 1 }],
    metrics: [],
    optimizer: { kind: "sgd" },
    movedStatistics: [],
    dropoutLayers: { mask: dropout!.layer },
  });
  return { step, spec, base };
}
