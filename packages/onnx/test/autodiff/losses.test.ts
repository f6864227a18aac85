import { parameterView } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  splitWeights,
  type LossName,
  type LossOptions,
} from "../../src/index.ts";
import { ENGINES, floatsOf, type Feeds, type TestEngine } from "../support/engines.ts";
import { affineModel, rows } from "../support/small-model.ts";

const [BATCH, INPUTS, OUTPUTS] = [5, 4, 3];
const CLASS_WEIGHTS = [0.5, 2, 1];
const model = affineModel(INPUTS, OUTPUTS);
const { parameters } = splitWeights(model);
const features = rows(BATCH, INPUTS, "features");
const classes = Int32Array.of(2, 0, 1, 1, 2);
const weights = Float32Array.of(1, 2, 0.5, 1, 0);

interface Case {
  readonly loss: LossName | LossOptions;
  readonly labels: Int32Array | Float32Array;
  /** Loss of one example from its outputs and labels, as PyTorch's documentation defines it. */
  readonly of: (z: readonly number[], labels: readonly number[]) => number;
  /** What one example adds to the divisor of the mean. */
  readonly divisor?: (labels: readonly number[]) => number;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const logSoftmax = (z: readonly number[]): number[] => {
  const total = z.reduce((sum, value) => sum + Math.exp(value), 0);
  return z.map((value) => value - Math.log(total));
};
const real = rows(BATCH, OUTPUTS, "targets");
const shares = rows(BATCH, OUTPUTS, "shares").map((value) => 1 / (1 + Math.exp(-3 * value)));

const CASES: Readonly<Record<string, Case>> = {
  "softmax cross entropy": {
    loss: "softmax-cross-entropy",
    labels: classes,
    of: (z, [label]) => -logSoftmax(z)[label!]!,
  },
  "label smoothing": {
    loss: { kind: "softmax-cross-entropy", labelSmoothing: 0.1 },
    labels: classes,
    of: (z, [label]) => -0.9 * logSoftmax(z)[label!]! - 0.1 * mean(logSoftmax(z)),
  },
  "class weights": {
    loss: { kind: "softmax-cross-entropy", classWeights: CLASS_WEIGHTS },
    labels: classes,
    of: (z, [label]) => -CLASS_WEIGHTS[label!]! * logSoftmax(z)[label!]!,
    divisor: ([label]) => CLASS_WEIGHTS[label!]!,
  },
  "label smoothing and class weights": {
    loss: { kind: "softmax-cross-entropy", classWeights: CLASS_WEIGHTS, labelSmoothing: 0.2 },
    labels: classes,
    of: (z, [label]) =>
      -0.8 * CLASS_WEIGHTS[label!]! * logSoftmax(z)[label!]! -
      0.2 * mean(logSoftmax(z).map((value, c) => CLASS_WEIGHTS[c]! * value)),
    divisor: ([label]) => CLASS_WEIGHTS[label!]!,
  },
  "sigmoid cross entropy": {
    loss: "sigmoid-cross-entropy",
    labels: shares,
    of: (z, y) =>
      mean(
        z.map((value, i) => y[i]! * Math.log1p(Math.exp(-value)) + (1 - y[i]!) * Math.log1p(Math.exp(value))),
      ),
  },
  mse: { loss: "mse", labels: real, of: (z, y) => mean(z.map((value, i) => (value - y[i]!) ** 2)) },
  mae: { loss: "mae", labels: real, of: (z, y) => mean(z.map((value, i) => Math.abs(value - y[i]!))) },
  huber: {
    loss: { kind: "huber", delta: 0.7 },
    labels: real,
    of: (z, y) =>
      mean(
        z.map((value, i) => {
          const error = Math.abs(value - y[i]!);
          return error <= 0.7 ? error ** 2 / 2 : 0.7 * (error - 0.35);
        }),
      ),
  },
};

/** Weighted sum and mean of a loss in float64, as a function of the flat parameters (weight, then bias). */
function reference({ of, labels, divisor = () => 1 }: Case, flat: ArrayLike<number>) {
  let [sum, total] = [0, 0];
  for (let row = 0; row < BATCH; row++) {
    const z = Array.from({ length: OUTPUTS }, (_, j) => {
      let value = flat[OUTPUTS * INPUTS + j]!;
      for (let i = 0; i < INPUTS; i++) value += features[row * INPUTS + i]! * flat[j * INPUTS + i]!;
      return value;
    });
    const width = labels.length / BATCH;
    const own = [...labels.subarray(row * width, (row + 1) * width)];
    sum += weights[row]! * of(z, own);
    total += weights[row]! * divisor(own);
  }
  return { sum, mean: sum / total };
}

describe.each(ENGINES)("losses on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  async function run(
    { loss, labels }: Case,
    values: { labels?: typeof labels; features?: Float32Array } = {},
  ) {
    const graph = buildTrainingGraph(model, { batchSize: BATCH, loss, optimizer: "none", target: "cpu" });
    const { spec } = graph;
    expect(spec.outputs).toBe("gradients");
    const { Tensor } = engine;
    const fed = values.labels ?? labels;
    const feeds: Feeds = {
      [spec.features.name]: new Tensor("float32", values.features ?? features, spec.features.shape),
      [spec.labels.name]:
        fed instanceof Int32Array
          ? new Tensor("int32", fed, spec.labels.shape)
          : new Tensor("float32", fed, spec.labels.shape),
      [spec.sampleWeights.name]: new Tensor("float32", weights, [BATCH]),
    };
    for (const { name, input, shape } of spec.parameters) {
      feeds[input] = new Tensor("float32", parameterView(parameters, name), shape);
    }
    feeds[spec.learningRate.name] = new Tensor("float32", Float32Array.of(1), []);
    const session = await engine.load(graph.model);
    const outputs = await session.run(feeds);
    await session.release();
    return {
      lossSum: floatsOf(outputs[spec.lossSum])[0]!,
      gradient: spec.parameters.flatMap(({ output }) => [...floatsOf(outputs[output])]),
    };
  }

  test.each(Object.entries(CASES))("%s: value and finite differences", async (__, one) => {
    const { lossSum, gradient } = await run(one);
    const flat = Float64Array.from(parameters.values);
    expect(Math.abs(lossSum - reference(one, flat).sum)).toBeLessThan(1e-5);
    for (const [i, value] of flat.entries()) {
      const at = (moved: number): number => reference(one, flat.with(i, moved)).mean;
      const slope = (at(value + 1e-6) - at(value - 1e-6)) / 2e-6;
      expect(Math.abs(gradient[i]! - slope), `parameter ${i}`).toBeLessThan(2e-6);
    }
  });

  test.each(Object.entries(CASES))("%s: what a row of weight 0 holds changes no bit", async (__, one) => {
    const otherFeatures = features.map((value, i) => (i < (BATCH - 1) * INPUTS ? value : 7 - value));
    const width = one.labels.length / BATCH;
    const otherLabels = one.labels.slice();
    for (let i = (BATCH - 1) * width; i < one.labels.length; i++) otherLabels[i] = 0;
    expect(await run(one, { features: otherFeatures, labels: otherLabels })).toEqual(await run(one));
  });
});

describe("losses", () => {
  test.each([
    ["Sigmoid", "sigmoid-cross-entropy"],
    ["Softmax", "softmax-cross-entropy"],
    ["LogSoftmax", { kind: "softmax-cross-entropy", labelSmoothing: 0.1 }],
  ] as const)("a %s at the end goes into its loss", (head, loss) => {
    const [plain, headed] = [affineModel(4, 3), affineModel(4, 3, head)].map(
      (bytes) => buildEvaluationGraph(bytes, { batchSize: 2, loss }).model,
    );
    expect(headed).toEqual(plain);
  });

  test("another head stays part of the model", () => {
    const graph = buildEvaluationGraph(affineModel(4, 3, "Sigmoid"), { batchSize: 2, loss: "mse" });
    expect(decodeModel(graph.model).graph.nodes.map(({ opType }) => opType)).toContain("Sigmoid");
  });

  test.each([
    { kind: "softmax-cross-entropy", labelSmoothing: 1 },
    { kind: "softmax-cross-entropy", classWeights: [1, 2] },
    { kind: "softmax-cross-entropy", classWeights: [1, -2, 1] },
    { kind: "huber", delta: 0 },
  ] as const)("refuse %o", (loss) => {
    expect(() => buildEvaluationGraph(model, { batchSize: 2, loss })).toThrowError(
      expect.objectContaining({ code: "onnx/invalid-option" }),
    );
  });
});
