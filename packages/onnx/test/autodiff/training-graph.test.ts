import { describe, expect, test } from "vitest";
import { build2nn, buildDigitsCnn, buildLinear, buildTrainingGraph, splitWeights } from "../../src/index.ts";
import { ENGINES, floatsOf } from "../support/engines.ts";
import { feedsOf, randomBatch } from "../support/training.ts";

const MODELS = { linear: buildLinear, "2nn": build2nn, "digits-cnn": buildDigitsCnn };

describe.each(ENGINES)("training on %s", (_, open) => {
  test.each(Object.entries(MODELS))("%s learns its batch by heart", async (__, build) => {
    const engine = await open();
    const bytes = build({ seed: "learns" });
    const { model, spec } = buildTrainingGraph(bytes, {
      batchSize: 16,
      loss: "softmax-cross-entropy",
      optimizer: "sgd",
      target: "cpu",
    });
    const session = await engine.load(model);
    const feeds = feedsOf(engine, spec, randomBatch(spec, "batch"), splitWeights(bytes).parameters, 0.02);
    const losses: number[] = [];
    let correct = 0;
    for (let step = 0; step < 40; step += 1) {
      const outputs = await session.run(feeds);
      losses.push(floatsOf(outputs[spec.lossSum])[0]! / 16);
      correct = floatsOf(outputs[spec.correct])[0]!;
      for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
    }
    await session.release();
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 10);
    expect(correct).toBe(16);
  });
});
