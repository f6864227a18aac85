import { describe, expect, test } from "vitest";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  splitWeights,
  type LossName,
  type MetricName,
  type MetricOptions,
} from "../../src/index.ts";
import { ENGINES, floatsOf, type Feeds, type TestEngine } from "../support/engines.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";

/** The model's outputs are its inputs: metrics of outputs chosen by hand. */
const passing = modelOf({
  input: [3],
  output: [3],
  nodes: [nodeOf("Mul", ["x", "ones"], ["y"])],
  weights: { ones: [3] },
});

async function measure(
  engine: TestEngine,
  loss: LossName,
  metrics: readonly (MetricName | MetricOptions)[],
  { outputs, labels, weights }: { outputs: number[][]; labels: number[] | number[][]; weights: number[] },
): Promise<Record<string, number[]>> {
  const batchSize = outputs.length;
  const { model, spec } = buildEvaluationGraph(passing, { batchSize, loss, metrics, trainable: ["ones"] });
  const { Tensor } = engine;
  const feeds: Feeds = {
    [spec.features.name]: new Tensor("float32", Float32Array.from(outputs.flat()), [batchSize, 3]),
    [spec.labels.name]:
      spec.labels.dtype === "int32"
        ? new Tensor("int32", Int32Array.from(labels.flat()), [batchSize])
        : new Tensor("float32", Float32Array.from(labels.flat()), [batchSize, 3]),
    [spec.sampleWeights.name]: new Tensor("float32", Float32Array.from(weights), [batchSize]),
    [spec.parameters[0]!.input]: new Tensor("float32", Float32Array.of(1, 1, 1), [3]),
  };
  const session = await engine.load(model);
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    [{ name: "correct", output: spec.correct, shape: [] }, ...(spec.metrics ?? [])].map(
      ({ name, output, shape }) => {
        expect(results[output]!.dims).toEqual(shape);
        return [name, [...floatsOf(results[output])]];
      },
    ),
  );
}

describe.each(ENGINES)("metrics on %s", (_, open) => {
  test("top k: ties go to the lower class, NaN to nobody", async () => {
    const engine = await open();
    const found = await measure(
      engine,
      "softmax-cross-entropy",
      [
        { kind: "topK", k: 1 },
        { kind: "topK", k: 2 },
      ],
      {
        outputs: [
          [3, 2, 1],
          [3, 2, 1],
          [3, 2, 1],
          [1, 1, 1],
          [1, 1, 1],
          [Number.NaN, 0, 0],
          [0, Number.NaN, 0],
        ],
        labels: [0, 1, 2, 0, 1, 0, 0],
        weights: [1, 2, 4, 8, 16, 32, 64],
      },
    );
    expect(found["top1"]).toEqual([1 + 8]);
    // The last row's label is beaten by the one NaN only.
    expect(found["top2"]).toEqual([1 + 2 + 8 + 16 + 64]);
  });

  test("confusion counts have the label as row and the prediction as column", async () => {
    const engine = await open();
    const found = await measure(engine, "softmax-cross-entropy", ["confusion"], {
      outputs: [
        [9, 0, 0],
        [0, 9, 0],
        [0, 0, 9],
        [0, 0, 9],
        [0, 9, 0],
      ],
      labels: [0, 1, 1, 1, 2],
      weights: [1, 1, 1, 2, 0],
    });
    expect(found["confusion"]).toEqual([1, 0, 0, 0, 1, 3, 0, 0, 0]);
    expect(found["correct"]).toEqual([2]);
  });

  test("confusion counts of yes-or-no outputs, and their share of hits", async () => {
    const engine = await open();
    const found = await measure(engine, "sigmoid-cross-entropy", ["confusion"], {
      outputs: [
        [1, -1, 0],
        [1, 1, -1],
      ],
      labels: [
        [1, 1, 0],
        [0, 1, 1],
      ],
      weights: [3, 6],
    });
    expect(found["confusion"]).toEqual([0, 6, 0, 3, 0, 0, 3, 6, 3, 0, 6, 0]);
    expect(found["correct"]![0]).toBeCloseTo(3 * (2 / 3) + 6 * (1 / 3), 5);
  });

  test("absolute error is the mean over an example's outputs; nothing counts as correct", async () => {
    const engine = await open();
    const found = await measure(engine, "mse", ["mae"], {
      outputs: [
        [1, 2, 3],
        [0, 0, 0],
      ],
      labels: [
        [2, 2, 1],
        [3, 0, -3],
      ],
      weights: [1, 0.5],
    });
    expect(found["mae"]![0]).toBeCloseTo(1 + 0.5 * 2, 5);
    expect(found["correct"]).toEqual([0]);
  });
});

describe("metrics", () => {
  test("come out of training graphs too", () => {
    const options = { batchSize: 2, loss: "mse", optimizer: "sgd", target: "cpu" } as const;
    const { spec } = buildTrainingGraph(passing, {
      ...options,
      trainable: ["ones"],
      metrics: ["mae", "mae"],
    });
    expect(spec.metrics).toEqual([{ name: "mae", output: "tributary.metric.mae", shape: [] }]);
  });

  test.each([
    ["mse", "confusion"],
    ["softmax-cross-entropy", "mae"],
    ["mse", { kind: "topK", k: 1 }],
    ["softmax-cross-entropy", { kind: "topK", k: 4 }],
    ["softmax-cross-entropy", { kind: "topK", k: 0 }],
  ] as const)("of %s refuse %o", (loss, metric) => {
    expect(() =>
      buildEvaluationGraph(passing, { batchSize: 2, loss, metrics: [metric], trainable: ["ones"] }),
    ).toThrowError(expect.objectContaining({ code: "onnx/invalid-option" }));
  });
});

describe("trainable", () => {
  const model = modelOf({
    input: [3],
    output: [2],
    nodes: [
      nodeOf("Gemm", ["x", "body.0.weight", "body.0.bias"], ["h"]),
      nodeOf("Gemm", ["h", "body.1.weight", "body.1.bias"], ["g"]),
      nodeOf("Gemm", ["g", "head.weight", "head.bias"], ["y"]),
    ],
    weights: {
      "body.0.weight": [3, 4],
      "body.0.bias": [4],
      "body.1.weight": [4, 4],
      "body.1.bias": [4],
      "head.weight": [4, 2],
      "head.bias": [2],
    },
  });
  const names = (trainable: NonNullable<Parameters<typeof splitWeights>[1]>): string[] =>
    splitWeights(model, trainable).parameters.schema.map(({ name }) => name);

  test("takes names, globs and functions; the order stays the file's", () => {
    expect(names(["head.bias", "head.weight"])).toEqual(["head.weight", "head.bias"]);
    expect(names(["head.*"])).toEqual(["head.weight", "head.bias"]);
    expect(names(["*.bias"])).toEqual(["body.0.bias", "body.1.bias", "head.bias"]);
    expect(names(["body.*.weight", "head.bias"])).toEqual(["body.0.weight", "body.1.weight", "head.bias"]);
    expect(names((name, shape) => shape.length === 2 && name !== "head.weight")).toEqual([
      "body.0.weight",
      "body.1.weight",
    ]);
    expect(names(["*"])).toEqual(names("all"));
    expect(() => names(["head.*.*"])).toThrowError(/head\.\*\.\*.*body\.0\.weight/u);
  });
});
