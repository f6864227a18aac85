import { beforeAll, describe, expect, test } from "vitest";
import {
  build2nn,
  buildFedAvgCnn,
  buildTrainingGraph,
  splitWeights,
  type TrainingGraphSpec,
} from "../../src/index.ts";
import { buildLstm, buildResNetBlock, buildTransformer } from "../support/block-models.ts";
import { ENGINES, floatsOf, type TestEngine } from "../support/engines.ts";
import {
  tfjs2nn,
  tfjsFedAvgCnn,
  tfjsLstm,
  tfjsResNetBlock,
  tfjsTransformer,
  type TfjsModel,
} from "../support/tfjs-models.ts";
import { tfjsGradients, type MatrixLayout, type TfjsGradients } from "../support/tfjs.ts";
import { feedsOf, randomBatch, type Batch } from "../support/training.ts";

interface Case {
  readonly name: string;
  readonly build: () => Uint8Array;
  readonly tfjs: { readonly model: TfjsModel; readonly layout: MatrixLayout };
  readonly classes: number;
  /** Weights of the batch's examples. */
  readonly shares: readonly number[];
}

const CASES: readonly Case[] = [
  {
    name: "2nn",
    build: () => build2nn({ seed: "tfjs" }),
    tfjs: { model: tfjs2nn, layout: "out-in" },
    classes: 10,
    shares: [1, 0.5],
  },
  {
    name: "fedavg-cnn",
    build: () => buildFedAvgCnn({ seed: "tfjs" }),
    tfjs: { model: tfjsFedAvgCnn, layout: "out-in" },
    classes: 10,
    shares: [1],
  },
  {
    name: "resnet block",
    build: buildResNetBlock,
    tfjs: { model: tfjsResNetBlock, layout: "out-in" },
    classes: 3,
    shares: [1, 0.5, 0],
  },
  {
    name: "transformer",
    build: () => buildTransformer(),
    tfjs: { model: tfjsTransformer(2), layout: "in-out" },
    classes: 3,
    shares: [1, 0.5, 0],
  },
  {
    name: "lstm",
    build: buildLstm,
    tfjs: { model: tfjsLstm, layout: "out-in" },
    classes: 3,
    shares: [1, 0.5, 0],
  },
];

/** Largest distance of a parameter's gradients, by the length of TensorFlow.js's. */
const TOLERANCE = 1e-4;

const TARGETS = ["cpu", "webgpu"] as const;

// One answer of TensorFlow.js, which is slow in plain JavaScript, serves all engines and targets.
const known = new Map<string, Promise<TfjsGradients>>();

function expectedOf({ name, tfjs, classes }: Case, model: Uint8Array, spec: TrainingGraphSpec, batch: Batch) {
  const expected = known.get(name) ?? tfjsGradients(model, tfjs, spec, batch, classes);
  known.set(name, expected);
  return expected;
}

describe.each(ENGINES)("gradients beside TensorFlow.js on %s", (_, open) => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await open();
  });

  const runs = CASES.flatMap((one) => TARGETS.map((target) => ({ ...one, target })));
  test.each(runs)("$name, built for $target", { timeout: 120_000 }, async ({ target, ...one }) => {
    const model = one.build();
    const { model: graph, spec } = buildTrainingGraph(model, {
      batchSize: one.shares.length,
      loss: "softmax-cross-entropy",
      optimizer: "none",
      target,
    });
    const batch = { ...randomBatch(spec, one.name, one.classes), weights: Float32Array.from(one.shares) };
    const session = await engine.load(graph);
    const outputs = await session.run(feedsOf(engine, spec, batch, splitWeights(model).parameters));
    await session.release();
    const expected = await expectedOf(one, model, spec, batch);
    expect(floatsOf(outputs[spec.lossSum])[0]! / expected.lossSum).toBeCloseTo(1, 5);
    expect([...expected.gradients.keys()].toSorted()).toEqual(
      spec.parameters.map(({ name }) => name).toSorted(),
    );
    const distances = spec.parameters.map(({ name, output }) => ({
      name,
      relativeError: relativeError(floatsOf(outputs[output]), expected.gradients.get(name)!),
    }));
    expect(distances.filter(({ relativeError: error }) => !(error <= TOLERANCE))).toEqual([]);
  });
});

function relativeError(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  const length = (values: Float32Array): number =>
    Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return length(actual.map((value, i) => value - expected[i]!)) / length(expected);
}
