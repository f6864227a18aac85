import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parameterView } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { createOptimizer } from "@tributary/onnx/optimizer";
import {
  buildTrainingGraph,
  splitWeights,
  type GradientOptions,
  type OptimizerName,
  type OptimizerOptions,
} from "../../src/index.ts";
import { dataFolder } from "../support/data.ts";
import { ENGINES, floatsOf, type Feeds, type OrtTensor, type TestEngine } from "../support/engines.ts";
import { affineModel, rows } from "../support/small-model.ts";

const folder = dataFolder("training-oracles/pytorch-optimizers");

interface Recorded {
  readonly Parameters: { readonly "fc1.weight": readonly (readonly number[])[] };
  readonly Gradients: { readonly "fc1.weight": readonly (readonly number[])[] };
}

describe.skipIf(folder === undefined)("PyTorch's own steps", () => {
  test.each([
    ["sgd_test_single_weight.json", "sgd"],
    ["adamw_test_single_weight_mode_0.json", "adamw"],
  ] as const)("%s", (file, kind) => {
    const recorded = JSON.parse(readFileSync(join(folder!, file), "utf8")) as Recorded;
    const { "fc1.weight": steps } = recorded.Parameters;
    const weights = Float32Array.from(steps[0]!);
    const optimizer = createOptimizer(kind, weights.length);
    for (const [k, gradient] of recorded.Gradients["fc1.weight"].entries()) {
      optimizer.step(weights, Float32Array.from(gradient), 1e-3);
      for (const [i, value] of weights.entries()) {
        expect(Math.abs(value - steps[k + 1]![i]!), `step ${k}, weight ${i}`).toBeLessThan(5e-7);
      }
    }
  });

  test("adamw_test_single_weight_mode_1.json", () => {
    const file = join(folder!, "adamw_test_single_weight_mode_1.json");
    const recorded = JSON.parse(readFileSync(file, "utf8")) as Recorded;
    const { "fc1.weight": steps } = recorded.Parameters;
    const gradients = recorded.Gradients["fc1.weight"].map((values) => Float32Array.from(values));
    for (const k of gradients.keys()) {
      // transformers.AdamW adds its epsilon before the bias correction, so at step t it is PyTorch's Adam with this one.
      const epsilon = 1e-6 / Math.sqrt(1 - 0.999 ** (k + 1));
      const optimizer = createOptimizer({ kind: "adam", epsilon }, steps[0]!.length);
      // Moments do not depend on weights or epsilon.
      const scratch = new Float32Array(steps[0]!.length);
      for (const gradient of gradients.slice(0, k)) optimizer.step(scratch, gradient, 1e-3);
      const weights = Float32Array.from(steps[k]!);
      optimizer.step(weights, gradients[k]!, 1e-3);
      for (const [i, value] of weights.entries()) {
        expect(Math.abs(value - steps[k + 1]![i]!), `step ${k}, weight ${i}`).toBeLessThan(5e-7);
      }
    }
  });
});

const [BATCH, INPUTS, OUTPUTS] = [4, 6, 3];
const model = affineModel(INPUTS, OUTPUTS);
const base = splitWeights(model).parameters;

const CASES: Readonly<Record<string, [OptimizerName | OptimizerOptions, GradientOptions?]>> = {
  "sgd with weight decay": [{ kind: "sgd", weightDecay: 0.1 }],
  momentum: ["momentum"],
  nesterov: [{ kind: "momentum", momentum: 0.8, nesterov: true, weightDecay: 0.01 }],
  adam: [{ kind: "adam", weightDecay: 0.01 }],
  adamw: ["adamw"],
  "sgd, clipped": ["sgd", { clipGradientNorm: 0.3 }],
  "sgd, proximal": ["sgd", { proximalTerm: 0.5 }],
  "adamw, proximal and clipped": ["adamw", { proximalTerm: 0.1, clipGradientNorm: 0.2 }],
};

describe.each(ENGINES)("optimizers on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  test.each(Object.entries(CASES))(
    "%s: ten steps are those of the rule in JavaScript",
    async (__, [kind, more]) => {
      const options = { batchSize: BATCH, loss: "mse", target: "cpu" } as const;
      const inside = buildTrainingGraph(model, { ...options, ...more, optimizer: kind });
      const outside = buildTrainingGraph(model, { ...options, optimizer: "none" });
      const [stepper, differ] = [await engine.load(inside.model), await engine.load(outside.model)];
      const { spec } = inside;
      const { Tensor } = engine;
      const rate = 0.05;
      const fixed: Feeds = {
        [spec.features.name]: new Tensor("float32", rows(BATCH, INPUTS, "x"), spec.features.shape),
        [spec.labels.name]: new Tensor("float32", rows(BATCH, OUTPUTS, "y"), spec.labels.shape),
        [spec.sampleWeights.name]: new Tensor("float32", new Float32Array(BATCH).fill(1), [BATCH]),
        [spec.learningRate.name]: new Tensor("float32", Float32Array.of(rate), []),
      };
      const weights = base.values.slice();
      const viewsOf = (values: Float32Array<ArrayBuffer>): Feeds =>
        Object.fromEntries(
          spec.parameters.map(({ name, input, shape }) => [
            input,
            new Tensor("float32", parameterView({ schema: base.schema, values }, name).slice(), shape),
          ]),
        );
      const feeds: Feeds = {
        ...fixed,
        ...viewsOf(weights),
        [spec.learningRate.name]: new Tensor("float32", Float32Array.of(rate), []),
      };
      for (const { input, shape } of spec.state ?? []) {
        const length = shape.reduce((product, size) => product * size, 1);
        feeds[input] = new Tensor("float32", new Float32Array(length), shape);
      }
      for (const [i, { name }] of (spec.baseParameters ?? []).entries()) {
        feeds[name] = feeds[spec.parameters[i]!.input]!;
      }
      const optimizer = createOptimizer(kind, weights.length, more);
      for (let step = 0; step < 10; step++) {
        const outputs = await stepper.run(feeds);
        for (const { input, output } of [...spec.parameters, ...(spec.state ?? [])]) {
          feeds[input] = outputs[output] as OrtTensor;
        }
        const found = await differ.run({ ...fixed, ...viewsOf(weights) });
        const gradient = outside.spec.parameters.flatMap(({ output }) => [...floatsOf(found[output])]);
        optimizer.step(weights, Float32Array.from(gradient), rate, base.values);
        const after = spec.parameters.flatMap(({ input }) => [...floatsOf(feeds[input])]);
        const worst = after.reduce((most, value, i) => Math.max(most, Math.abs(value - weights[i]!)), 0);
        expect(worst, `step ${step}`).toBeLessThan(2e-6);
      }
      await stepper.release();
      await differ.release();
      const moved = weights.reduce((most, value, i) => Math.max(most, Math.abs(value - base.values[i]!)), 0);
      expect(moved).toBeGreaterThan(0.01);
    },
  );
});

describe("createOptimizer", () => {
  test("clips the gradients as one vector to the length given", () => {
    const weights = new Float32Array(2);
    createOptimizer("sgd", 2, { clipGradientNorm: 1 }).step(weights, Float32Array.of(30, 40), 1);
    expect(weights[0]).toBeCloseTo(-0.6, 6);
    expect(weights[1]).toBeCloseTo(-0.8, 6);
  });

  test("leaves short gradients and the caller's array as they are", () => {
    const [weights, gradient] = [new Float32Array(2), Float32Array.of(0.25, 0.5)];
    createOptimizer("sgd", 2, { clipGradientNorm: 1 }).step(weights, gradient, 1);
    expect(weights).toEqual(Float32Array.of(-0.25, -0.5));
    expect(gradient).toEqual(Float32Array.of(0.25, 0.5));
  });

  test.each([
    () => createOptimizer({ kind: "momentum", momentum: 1 }, 1),
    () => createOptimizer({ kind: "adam", beta2: -0.1 }, 1),
    () => createOptimizer("sgd", 1, { clipGradientNorm: 0 }),
    () => createOptimizer("sgd", 1, { proximalTerm: Number.NaN }),
    () => createOptimizer("sgd", 2).step(new Float32Array(2), new Float32Array(1), 1),
  ])("refuses settings out of range (%#)", (make) => {
    expect(make).toThrow(RangeError);
  });
});
