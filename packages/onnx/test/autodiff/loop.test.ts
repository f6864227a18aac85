import { parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  build2nn,
  buildDigitsCnn,
  buildFedAvgCnn,
  buildTrainingGraph,
  splitWeights,
  type OptimizerName,
  type TrainingGraphSpec,
} from "../../src/index.ts";
import { ENGINES, floatsOf, type Feeds } from "../support/engines.ts";
import { affineModel, rows } from "../support/small-model.ts";

const [STEPS, BATCH] = [3, 4];
const images = rows(STEPS * BATCH, 784, "images");
const labels = Int32Array.from({ length: STEPS * BATCH }, (_, i) => (i * 7) % 10);
const weights = new Float32Array(STEPS * BATCH).fill(1);

const CASES: readonly [string, OptimizerName, number, typeof build2nn][] = [
  ["2nn", "sgd", 3, build2nn],
  ["2nn", "adam", 2, build2nn],
  ["digits-cnn", "momentum", 3, buildDigitsCnn],
];

describe.each(ENGINES)("loops of steps on %s", (_, open) => {
  test.each(CASES)(
    "%s with %s, %i steps: same bits as one run a step",
    async (__, optimizer, count, build) => {
      const engine = await open();
      const { Tensor } = engine;
      const model = build({ seed: "loop" });
      const { parameters } = splitWeights(model);
      const options = { batchSize: BATCH, loss: "softmax-cross-entropy", optimizer, target: "cpu" } as const;
      const fixed = (spec: TrainingGraphSpec): Feeds => ({
        [spec.learningRate.name]: new Tensor("float32", Float32Array.of(0.01), []),
        ...Object.fromEntries(
          [...spec.parameters, ...(spec.state ?? [])].map(({ name, input, shape }) => {
            const isState = (spec.state ?? []).some((state) => state.input === input);
            const length = shape.reduce((product, size) => product * size, 1);
            const values = isState ? new Float32Array(length) : parameterView(parameters, name).slice();
            return [input, new Tensor("float32", values, shape)];
          }),
        ),
      });
      const data = (spec: TrainingGraphSpec, from: number, to: number): Feeds => ({
        [spec.features.name]: new Tensor("float32", images.slice(from * 784, to * 784), spec.features.shape),
        [spec.labels.name]: new Tensor("int32", labels.slice(from, to), spec.labels.shape),
        [spec.sampleWeights.name]: new Tensor("float32", weights.slice(from, to), spec.sampleWeights.shape),
      });

      const one = buildTrainingGraph(model, options);
      const stepper = await engine.load(one.model);
      const feeds = fixed(one.spec);
      let lossSum = 0;
      for (let step = 0; step < count; step++) {
        const outputs = await stepper.run({ ...feeds, ...data(one.spec, step * BATCH, (step + 1) * BATCH) });
        for (const { input, output } of [...one.spec.parameters, ...(one.spec.state ?? [])]) {
          feeds[input] = outputs[output]!;
        }
        lossSum += floatsOf(outputs[one.spec.lossSum])[0]!;
      }
      await stepper.release();

      const { model: looped, spec } = buildTrainingGraph(model, { ...options, loopSteps: STEPS });
      expect(spec.loop?.maxSteps).toBe(STEPS);
      expect(spec.features.shape).toEqual([STEPS, BATCH, 1, 28, 28]);
      const looper = await engine.load(looped);
      const outputs = await looper.run({
        ...fixed(spec),
        ...data(spec, 0, STEPS * BATCH),
        [spec.loop!.steps.name]: new Tensor("int64", BigInt64Array.of(BigInt(count)), []),
      });
      await looper.release();
      for (const [i, { name, output }] of spec.parameters.entries()) {
        expect(floatsOf(outputs[output]), name).toEqual(floatsOf(feeds[one.spec.parameters[i]!.input]));
      }
      for (const [i, { name, output }] of (spec.state ?? []).entries()) {
        expect(floatsOf(outputs[output]), name).toEqual(floatsOf(feeds[one.spec.state![i]!.input]));
      }
      expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! - lossSum)).toBeLessThan(1e-4);
    },
  );
});

describe("loopSteps", () => {
  const options = { batchSize: 2, loss: "softmax-cross-entropy", target: "cpu" } as const;
  const model = build2nn({ seed: 1 });

  test.each([0, 1.5, 5000])("refuses %s", (loopSteps) => {
    expect(() => buildTrainingGraph(model, { ...options, optimizer: "sgd", loopSteps })).toThrow(RangeError);
  });

  test.each([
    ["a small model's are those asked for", build2nn, 2, 8, 8],
    ["runs stay short", build2nn, 10, 4096, 13],
    ["a step that is long enough is no loop", buildFedAvgCnn, 10, 64, undefined],
  ] as const)("%s", (_, build, batchSize, loopSteps, expected) => {
    const { spec } = buildTrainingGraph(build({ seed: 1 }), {
      ...options,
      batchSize,
      optimizer: "sgd",
      loopSteps,
    });
    expect(spec.loop?.maxSteps).toBe(expected);
    expect(spec.features.shape.length).toBe(expected === undefined ? 4 : 5);
  });

  test("a model of few operations is bounded by what its operators cost", () => {
    const { spec } = buildTrainingGraph(affineModel(2, 2), { ...options, optimizer: "sgd", loopSteps: 4096 });
    expect(spec.loop?.maxSteps).toBeGreaterThan(50);
    expect(spec.loop?.maxSteps).toBeLessThan(500);
  });

  test("refuses gradients alone", () => {
    expect(() => buildTrainingGraph(model, { ...options, optimizer: "none", loopSteps: 2 })).toThrow(
      TypeError,
    );
  });
});
