import { parameterCount } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import { build2nn, buildDigitsCnn, buildFedAvgCnn, buildLinear, splitWeights } from "../../src/index.ts";
import { ENGINES, floatsOf } from "../support/engines.ts";

// Counts as published: McMahan et al. 2017, section 3.
const MODELS = [
  ["linear", buildLinear, 7850],
  ["2nn", build2nn, 199_210],
  ["fedavg-cnn", buildFedAvgCnn, 1_663_370],
  ["digits-cnn", buildDigitsCnn, 37_610],
] as const;

describe.each(MODELS)("%s", (name, build, count) => {
  test(`has ${count} parameters, the same for the same seed`, () => {
    const { parameters } = splitWeights(build({ seed: "a" }));
    expect(parameterCount(parameters.schema)).toBe(count);
    expect(build({ seed: "a" })).toEqual(build({ seed: "a" }));
    expect(splitWeights(build({ seed: "b" })).parameters.values).not.toEqual(parameters.values);
    // One graph for all seeds: only weights differ between runs.
    expect(splitWeights(build({ seed: "b" })).graph).toEqual(splitWeights(build({ seed: "a" })).graph);
  });

  test.each(ENGINES)("takes any batch size on %s", async (_, open) => {
    const engine = await open();
    const session = await engine.load(build({ seed: name }));
    for (const batch of [1, 3]) {
      const image = new engine.Tensor("float32", new Float32Array(batch * 784).fill(0.5), [batch, 1, 28, 28]);
      const outputs = await session.run({ image });
      expect(outputs["logits"]!.dims).toEqual([batch, 10]);
      expect(floatsOf(outputs["logits"]).every(Number.isFinite)).toBe(true);
    }
    await session.release();
  });
});

test("the small CNN stays small", () => {
  expect(buildDigitsCnn({ seed: 1 }).length).toBeLessThan(500_000);
});
