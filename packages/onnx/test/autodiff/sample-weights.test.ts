import { parameterView } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { buildDigitsCnn, buildTrainingGraph, splitWeights, type TrainingGraph } from "../../src/index.ts";
import { ENGINES, floatsOf, type OrtTensor, type TestEngine } from "../support/engines.ts";
import { feedsOf, randomBatch, type Batch } from "../support/training.ts";

const model = buildDigitsCnn({ seed: "padding" });
const { parameters } = splitWeights(model);

function graphOf(batchSize: number): TrainingGraph {
  return buildTrainingGraph(model, {
    batchSize,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
}

describe.each(ENGINES)("sample weights on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  async function step(graph: TrainingGraph, batch: Batch): Promise<Record<string, OrtTensor>> {
    const session = await engine.load(graph.model);
    const outputs = await session.run(feedsOf(engine, graph.spec, batch, parameters, 0.5));
    await session.release();
    return outputs;
  }

  function expectSameStep(
    { spec }: TrainingGraph,
    got: Record<string, OrtTensor>,
    expected: Record<string, OrtTensor>,
    tolerance: number,
  ): void {
    expect(
      Math.abs(floatsOf(got[spec.lossSum])[0]! - floatsOf(expected[spec.lossSum])[0]!),
    ).toBeLessThanOrEqual(tolerance * 10);
    expect(floatsOf(got[spec.correct])).toEqual(floatsOf(expected[spec.correct]));
    for (const { name, output } of spec.parameters) {
      const [a, b] = [floatsOf(got[output]), floatsOf(expected[output])];
      const worst = a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
      expect(worst, name).toBeLessThanOrEqual(tolerance);
    }
  }

  const eight = graphOf(8);
  const whole = randomBatch(eight.spec, "whole");
  const firstFive = (batch: Batch): Batch => ({
    features: batch.features.slice(0, 5 * 784),
    labels: batch.labels.slice(0, 5),
    weights: batch.weights.slice(0, 5),
  });
  const padded: Batch = { ...whole, weights: whole.weights.map((weight, i) => (i < 5 ? weight : 0)) };

  test("a padded batch steps as the short batch does", async () => {
    const short = graphOf(5);
    expectSameStep(eight, await step(eight, padded), await step(short, firstFive(whole)), 1e-6);
  });

  test("what padding rows hold changes no bit", async () => {
    const blank: Batch = {
      ...padded,
      features: padded.features.map((value, i) => (i < 5 * 784 ? value : 0)),
      labels: padded.labels.map((value, i) => (i < 5 ? value : 0)),
    };
    expectSameStep(eight, await step(eight, padded), await step(eight, blank), 0);
  });

  test("weight 2 counts as twice the example", async () => {
    const twice: Batch = {
      features: Float32Array.of(...firstFive(whole).features, ...whole.features.subarray(0, 784)),
      labels: Int32Array.of(...whole.labels.subarray(0, 5), whole.labels[0]!),
      weights: new Float32Array(6).fill(1),
    };
    const weighted: Batch = { ...firstFive(whole), weights: new Float32Array([2, 1, 1, 1, 1]) };
    const [five, six] = [graphOf(5), graphOf(6)];
    expectSameStep(five, await step(five, weighted), await step(six, twice), 1e-6);
  });

  test("a batch of padding only leaves the parameters as they are", async () => {
    const nothing: Batch = { ...whole, weights: new Float32Array(8) };
    const outputs = await step(eight, nothing);
    expect(floatsOf(outputs[eight.spec.lossSum])[0]).toBe(0);
    for (const { name, output } of eight.spec.parameters) {
      expect(floatsOf(outputs[output]), name).toEqual(parameterView(parameters, name));
    }
  });
});
