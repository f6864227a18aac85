import { seededRandom } from "@tributary/core";
import type { TrainingGraphDocument } from "@tributary/protocol";
import { expect, test } from "vitest";
import { dropoutMasks } from "../../src/training/dropout-masks.ts";

const port = { name: "x", dtype: "float32" as const, shape: [1] };
const spec: TrainingGraphDocument = {
  kind: "train",
  batchSize: 1,
  features: port,
  labels: port,
  sampleWeights: port,
  learningRate: port,
  parameters: [{ name: "w", shape: [1], input: "w", output: "v" }],
  lossSum: "loss",
  correct: "correct",
  dropouts: [
    { input: "first", shape: [100, 40], ratio: 0.25 },
    { input: "second", shape: [3], ratio: 0 },
  ],
};

test("masks drop the share that the graph says, anew for every run", () => {
  const random = seededRandom("masks");
  const [one, two] = [dropoutMasks(spec, random), dropoutMasks(spec, random)];
  const mask = one["first"]!.data as Float32Array;
  expect(one["first"]!.shape).toEqual([100, 40]);
  expect(new Set(mask)).toEqual(new Set([0, 1]));
  // 4000 draws at 0.25: a standard deviation of 27
  const dropped = mask.reduce((sum, value) => sum + 1 - value, 0);
  expect(Math.abs(dropped - 1000)).toBeLessThan(140);
  expect(two["first"]!.data).not.toEqual(mask);
  expect([...(one["second"]!.data as Float32Array)]).toEqual([1, 1, 1]);
});

test("without randomness nothing is dropped", () => {
  expect(new Set(dropoutMasks(spec)["first"]!.data as Float32Array)).toEqual(new Set([1]));
});
