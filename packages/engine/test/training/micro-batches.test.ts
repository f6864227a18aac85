import { seededRandom } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import type { LabelledValues } from "@tributary/engine/batches";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { measureLoss, train, type BatchCut, type TrainRequest } from "@tributary/engine/training";
import {
  buildDigitsCnn,
  buildMicroBatches,
  buildTrainingGraph,
  splitWeights,
  type TrainingGraphOptions,
} from "@tributary/onnx";
import { layoutOfParameters, type TrainingGraphDocument } from "@tributary/protocol";
import { parameterSet } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let engine: Engine;
beforeAll(async () => {
  engine = await createOrtNodeEngine();
});
afterAll(() => engine.close());

const model = buildDigitsCnn({ seed: 5 });
const { parameters } = splitWeights(model);
const random = seededRandom("micro-batches");
const examples: LabelledValues[] = Array.from({ length: 21 }, (_, i) => ({
  inputs: [Float32Array.from({ length: 784 }, () => random.next())],
  label: i % 10,
}));
const plain = {
  batchSize: 8,
  loss: "softmax-cross-entropy",
  optimizer: "sgd",
  target: "cpu",
} satisfies TrainingGraphOptions;

/** Both ways of training of the same plan; `size` examples a part. */
async function bothWays(options: TrainingGraphOptions, size: number, changes: Partial<TrainRequest> = {}) {
  const whole = buildTrainingGraph(model, options);
  // As a model that takes longer is planned.
  const micro = buildMicroBatches(model, options, { ...whole, stepMs: 100 });
  if (typeof micro === "string") throw new Error(`not cut: ${micro}`);
  const step = { session: await engine.load(micro.step.model), spec: micro.step.spec };
  const { model: partModel } = micro.parts.find((part) => part.batchSize === size)!;
  const session = await engine.load(partModel);
  const single = micro.spec as TrainingGraphDocument;
  const rows = <T extends { shape: readonly number[] }>(port: T): T => ({
    ...port,
    shape: [size, ...port.shape.slice(1)],
  });
  const spec: TrainingGraphDocument = {
    ...single,
    batchSize: size,
    inputs: single.inputs!.map(rows),
    features: rows(single.features),
    labels: rows(single.labels),
    sampleWeights: rows(single.sampleWeights),
    ...(single.dropouts === undefined ? {} : { dropouts: single.dropouts.map(rows) }),
  };
  const runs: number[] = [];
  const cut: BatchCut = {
    step,
    part: async () => ({ session, spec }),
    run: async (count, work) => {
      runs.push(count);
      return await work();
    },
  };
  const request: TrainRequest = {
    session: await engine.load(whole.model),
    spec: whole.spec as TrainingGraphDocument,
    layout: layoutOfParameters(parameters.schema),
    base: parameters,
    examples,
    epochs: 2,
    learningRate: 0.05,
    maxExamples: 1000,
    random: seededRandom("order"),
    ...changes,
  };
  const uncut = await train(request);
  const inParts = await train({ ...request, random: seededRandom("order"), cut });
  return { uncut, inParts, runs, request, cut };
}

/** Of the largest change, the largest difference. */
function differenceOf(expected: Float32Array, got: Float32Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0) / largest;
}

const offsets = parameterSet(parameters.schema);
offsets.values.forEach((_, i) => (offsets.values[i] = 1e-3 * Math.sin(i)));

describe("a batch trained on in parts", () => {
  test.each<[string, Partial<TrainingGraphOptions>, Partial<TrainRequest>]>([
    ["plain descent", {}, {}],
    ["momentum and weight decay", { optimizer: { kind: "momentum", weightDecay: 0.01, nesterov: true } }, {}],
    ["adam", { optimizer: "adam" }, { learningRate: 0.001 }],
    ["clipping and a proximal term", { clipGradientNorm: 0.5, proximalTerm: 0.1 }, {}],
    ["control variates", { gradientOffsets: true }, { offsets }],
  ])("gives the update of the whole: %s", async (_, options, changes) => {
    const { uncut, inParts, runs } = await bothWays({ ...plain, ...options }, 4, changes);
    expect(inParts).toMatchObject({ numExamples: 21, steps: 6, correct: uncut.correct });
    expect(inParts.lossSum).toBeCloseTo(uncut.lossSum, 3);
    expect(differenceOf(uncut.update, inParts.update)).toBeLessThan(2e-5);
    // Two parts and a step a batch; the last batch of five examples is a part of four and one of one.
    expect(runs).toEqual([4, 4, 0, 4, 4, 0, 4, 1, 0, 4, 4, 0, 4, 4, 0, 4, 1, 0]);
  });

  test("of one example, and of a size that does not divide the batch", async () => {
    for (const [batchSize, size] of [
      [8, 1],
      [10, 3],
    ] as const) {
      const { uncut, inParts } = await bothWays({ ...plain, batchSize }, size, { epochs: 1 });
      expect(differenceOf(uncut.update, inParts.update)).toBeLessThan(2e-5);
    }
  });

  test("measures weights as the whole graph does", async () => {
    const { request, cut, uncut, inParts } = await bothWays(plain, 4, { epochs: 1 });
    const order = examples.map((_, i) => i);
    const whole = await measureLoss({ ...request, order, trained: uncut.trained });
    const parts = await measureLoss({ ...request, order, trained: inParts.trained, cut });
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.accuracy).toBe(whole.accuracy);
  });
});
