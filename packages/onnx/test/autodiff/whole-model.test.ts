import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "@tributary/core";
import { parameterView } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import {
  build2nn,
  buildDigitsCnn,
  buildEvaluationGraph,
  buildLinear,
  buildTrainingGraph,
  splitWeights,
  type TrainingGraphSpec,
} from "../../src/index.ts";
import { buildLstm, buildResidual, buildTransformer } from "../support/block-models.ts";
import { dataFolder } from "../support/data.ts";
import { ENGINES, floatsOf, type TestEngine } from "../support/engines.ts";
import { feedsOf, randomBatch, type Batch } from "../support/training.ts";
import { gradientOf, PROBE_RATE, ReferenceModel } from "../support/whole-model.ts";

const folder = dataFolder("onnx-models");
const file = (name: string) => (): Uint8Array => readFileSync(join(folder!, name, "model.onnx"));
const OURS: [string, () => Uint8Array][] = [
  ["linear", () => buildLinear({ seed: "g" })],
  ["2nn", () => build2nn({ seed: "g" })],
  ["digits-cnn", () => buildDigitsCnn({ seed: "g" })],
  ["transformer", () => buildTransformer()],
  ["lstm", buildLstm],
  ["residual block", buildResidual],
];
/** Models of three classes. */
const SMALL: ReadonlySet<string> = new Set(["transformer", "lstm", "residual block"]);
// Exported with a fixed batch of 1, a softmax head, auto_pad, a reshaped weight, operator set 8 and 9.
const THEIRS: [string, () => Uint8Array][] =
  folder === undefined
    ? []
    : [
        ["pytorch-cnn-mnist", file("pytorch-cnn-mnist")],
        ["pytorch-cnn-mnist-float-opset13", file("pytorch-cnn-mnist-float-opset13")],
        ["cntk-mnist-8", file("cntk-mnist-8")],
        ["pytorch-mlp-bn-mnist", file("pytorch-mlp-bn-mnist")],
      ];

interface Expected {
  readonly lossSum: number;
  readonly correct: number;
  /** A direction per parameter and the slope of the loss along it. */
  readonly slopes: ReadonlyMap<string, { direction: Float64Array; slope: number }>;
}

// The float64 reference is slow: one answer per model serves all engines and targets.
const known = new Map<string, Expected>();

function expectedOf(name: string, model: Uint8Array, spec: TrainingGraphSpec, batch: Batch): Expected {
  const before = known.get(name);
  if (before !== undefined) return before;
  const reference = new ReferenceModel(model, batch);
  const random = seededRandom(`direction ${name}`);
  const slopes = new Map(
    spec.parameters.map((parameter) => {
      const length = parameter.shape.reduce((product, dim) => product * dim, 1);
      const direction = Float64Array.from({ length }, () => random.normal());
      return [parameter.name, { direction, slope: reference.slope(parameter.name, direction) }];
    }),
  );
  const expected = { ...reference.evaluate(), slopes };
  known.set(name, expected);
  return expected;
}

describe.each(ENGINES)("gradients of whole models on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  describe.each(["cpu", "webgpu"] as const)("built for %s", (target) => {
    test.each([...OURS, ...THEIRS])("%s agrees with central differences", async (name, bytes) => {
      const model = bytes();
      const { parameters } = splitWeights(model);
      const graph = buildTrainingGraph(model, {
        batchSize: 2,
        loss: "softmax-cross-entropy",
        optimizer: "sgd",
        target,
      });
      const { spec } = graph;
      const drawn = randomBatch(spec, name, SMALL.has(name) ? 3 : 10);
      const batch = { ...drawn, weights: new Float32Array([1, 0.5]) };
      const session = await engine.load(graph.model);
      const outputs = await session.run(feedsOf(engine, spec, batch, parameters, PROBE_RATE));
      await session.release();
      const expected = expectedOf(name, model, spec, batch);
      expect(floatsOf(outputs[spec.lossSum])[0]).toBeCloseTo(expected.lossSum, 4);
      expect(floatsOf(outputs[spec.correct])[0]).toBe(expected.correct);
      for (const parameter of spec.parameters) {
        const before = parameterView(parameters, parameter.name);
        const gradient = gradientOf(spec, parameter.name, before, outputs);
        const { direction, slope } = expected.slopes.get(parameter.name)!;
        const along = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 1e-12));
        expect(Math.abs(along - slope) / norm, parameter.name).toBeLessThan(1e-4);
      }
    });
  });

  test("evaluation gives the loss and hits of the training graph", async () => {
    const model = buildDigitsCnn({ seed: "evaluate" });
    const { parameters } = splitWeights(model);
    const { model: graph, spec } = buildEvaluationGraph(model, {
      batchSize: 8,
      loss: "softmax-cross-entropy",
    });
    const batch = randomBatch(spec, "evaluate");
    const session = await engine.load(graph);
    const outputs = await session.run(feedsOf(engine, spec, batch, parameters));
    await session.release();
    const expected = new ReferenceModel(model, batch).evaluate();
    expect(floatsOf(outputs[spec.lossSum])[0]).toBeCloseTo(expected.lossSum, 4);
    expect(floatsOf(outputs[spec.correct])[0]).toBe(expected.correct);
  });
});
