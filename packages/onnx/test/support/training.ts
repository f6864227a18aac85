import { seededRandom } from "@tributary/core";
import type { ParameterSet } from "@tributary/tensor";
import { parameterView } from "@tributary/tensor";
import type { EvaluationGraphSpec, TrainingGraphSpec } from "../../src/index.ts";
import type { Feeds, TestEngine } from "./engines.ts";

export interface Batch {
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly weights: Float32Array;
  /** Numbers of every input by name, for the reference, where there is more than the features. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
}

/** Random images and labels; `normal` features have no ties for pooling to break. */
export function randomBatch(
  spec: TrainingGraphSpec | EvaluationGraphSpec,
  seed: string,
  classes = 10,
): Batch {
  const random = seededRandom(seed);
  const count = spec.features.shape.reduce((product, size) => product * size, 1);
  return {
    features: Float32Array.from({ length: count }, () => random.normal()),
    labels: Int32Array.from({ length: spec.batchSize }, () => random.integer(classes)),
    weights: new Float32Array(spec.batchSize).fill(1),
  };
}

export function feedsOf(
  engine: Pick<TestEngine, "Tensor">,
  spec: TrainingGraphSpec | EvaluationGraphSpec,
  batch: Batch,
  parameters: ParameterSet,
  learningRate = 0,
): Feeds {
  const { Tensor } = engine;
  const feeds: Feeds = {
    ...(spec.features.dtype === "float32"
      ? { [spec.features.name]: new Tensor("float32", batch.features, spec.features.shape) }
      : {}),
    [spec.labels.name]: new Tensor("int32", batch.labels, spec.labels.shape),
    [spec.sampleWeights.name]: new Tensor("float32", batch.weights, spec.sampleWeights.shape),
  };
  if (spec.kind === "train") {
    feeds[spec.learningRate.name] = new Tensor("float32", new Float32Array([learningRate]), []);
  }
  for (const { name, shape, input } of spec.parameters) {
    feeds[input] = new Tensor("float32", parameterView(parameters, name), shape);
  }
  return feeds;
}
