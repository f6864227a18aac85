import type { Engine } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { buildDigitsCnn, buildLinear } from "@tributary/onnx";
import { digitsOfManyWriters, heldOutDigits } from "@tributary/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trainCentrally } from "./train-centrally.ts";

const full = process.env["TRIBUTARY_TEST_FULL"] === "1";

// A data set on which a linear model does as well as a small network would show nothing about learning.
describe("the digits are as hard as handwriting", () => {
  let train: ReturnType<typeof digitsOfManyWriters>;
  let held: ReturnType<typeof heldOutDigits>;
  let engine: Engine;
  beforeAll(async () => {
    if (!full) return;
    train = digitsOfManyWriters({ seed: "difficulty", count: 12_000 });
    held = heldOutDigits({ seed: "difficulty", count: 3000 });
    engine = await createOrtNodeEngine();
  });
  afterAll(() => engine?.close());

  test("a linear model stays below 92 % on writers it has not seen", async (context) => {
    if (!full) context.skip("ten seconds: it is part of test:full");
    const runs = await trainCentrally({
      engine,
      model: buildLinear({ seed: 1 }),
      train,
      test: held,
      epochs: 4,
      learningRate: 0.5,
    });
    expect(Math.max(...runs)).toBeLessThan(0.92);
    // and is no noise either
    expect(Math.max(...runs)).toBeGreaterThan(0.75);
  });

  test("the small CNN passes 97 %", async (context) => {
    if (!full) context.skip("half a minute: it is part of test:full");
    const accuracies = await trainCentrally({
      engine,
      model: buildDigitsCnn({ seed: 1 }),
      train,
      test: held,
      epochs: 3,
      learningRate: 0.15,
    });
    expect(accuracies.at(-1)).toBeGreaterThan(0.97);
  });
});
