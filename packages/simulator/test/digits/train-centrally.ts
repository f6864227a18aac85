import { seededRandom } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  splitWeights,
  type EvaluationGraphSpec,
  type TrainingGraphSpec,
} from "@tributary/onnx";
import { IMAGE_PIXELS, type Digits } from "@tributary/simulator";
import { parameterView, tensor, type Tensor } from "@tributary/tensor";

type Parameters = Map<string, Tensor>;

export interface CentralTraining {
  readonly engine: Engine;
  readonly model: Uint8Array;
  readonly train: Digits;
  readonly test: Digits;
  readonly epochs: number;
  /** Falls linearly to 0 in the second half. */
  readonly learningRate: number;
}

const BATCH = 50;
const TEST_BATCH = 500;

/**
 * Trains on all data in one place, on the graphs that devices use; returns the test accuracy after each epoch.
 * The sessions end with the engine.
 */
export async function trainCentrally(options: CentralTraining): Promise<number[]> {
  const { engine, model, train, test, epochs, learningRate } = options;
  const training = buildTrainingGraph(model, {
    batchSize: BATCH,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
  const evaluation = buildEvaluationGraph(model, { batchSize: TEST_BATCH, loss: "softmax-cross-entropy" });
  const trainer = await engine.load(training.model);
  const judge = await engine.load(evaluation.model);

  const initial = splitWeights(model).parameters;
  let parameters: Parameters = new Map(
    training.spec.parameters.map(({ name, shape }) => [
      name,
      tensor("float32", shape, parameterView(initial, name).slice()),
    ]),
  );
  const random = seededRandom("order");
  const order = Array.from(train.labels, (_, i) => i);
  const steps = epochs * Math.floor(order.length / BATCH);
  const accuracies: number[] = [];
  for (let epoch = 0, step = 0; epoch < epochs; epoch++) {
    random.shuffle(order);
    for (let at = 0; at + BATCH <= order.length; at += BATCH, step++) {
      const rate = learningRate * Math.min(1, 2 * (1 - step / steps));
      parameters = await trainStep(
        trainer,
        training.spec,
        train,
        order.slice(at, at + BATCH),
        rate,
        parameters,
      );
    }
    accuracies.push(await accuracy(judge, evaluation.spec, test, parameters));
  }
  return accuracies;
}

function batchFeeds(
  spec: TrainingGraphSpec | EvaluationGraphSpec,
  data: Digits,
  rows: readonly number[],
): Record<string, Tensor> {
  const features = new Float32Array(rows.length * IMAGE_PIXELS);
  rows.forEach((row, i) => {
    for (let p = 0; p < IMAGE_PIXELS; p++)
      features[i * IMAGE_PIXELS + p] = data.images[row * IMAGE_PIXELS + p]! / 255;
  });
  return {
    [spec.features.name]: tensor("float32", spec.features.shape, features),
    [spec.labels.name]: tensor(
      "int32",
      [rows.length],
      Int32Array.from(rows, (row) => data.labels[row]!),
    ),
    [spec.sampleWeights.name]: tensor("float32", [rows.length], new Float32Array(rows.length).fill(1)),
  };
}

async function trainStep(
  trainer: Session,
  spec: TrainingGraphSpec,
  data: Digits,
  rows: readonly number[],
  rate: number,
  parameters: Parameters,
): Promise<Parameters> {
  const feeds = batchFeeds(spec, data, rows);
  feeds[spec.learningRate.name] = tensor("float32", spec.learningRate.shape, new Float32Array([rate]));
  for (const { name, input } of spec.parameters) feeds[input] = parameters.get(name)!;
  const outputs = await trainer.run(feeds);
  return new Map(spec.parameters.map(({ name, output }) => [name, outputs[output]!]));
}

async function accuracy(
  judge: Session,
  spec: EvaluationGraphSpec,
  data: Digits,
  parameters: Parameters,
): Promise<number> {
  let correct = 0;
  for (let at = 0; at + TEST_BATCH <= data.labels.length; at += TEST_BATCH) {
    const feeds = batchFeeds(
      spec,
      data,
      Array.from({ length: TEST_BATCH }, (_, i) => at + i),
    );
    for (const { name, input } of spec.parameters) feeds[input] = parameters.get(name)!;
    correct += (await judge.run(feeds))[spec.correct]!.data[0] as number;
  }
  return correct / data.labels.length;
}
