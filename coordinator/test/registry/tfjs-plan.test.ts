import { seededRandom } from "@tributary/core";
import type { Engine, Feeds } from "@tributary/engine";
import { exampleRuns, type LabelledValues } from "@tributary/engine/batches";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { createTfjsEngine, tfjsTensors } from "@tributary/engine/tfjs";
import { readTfjsArtifact, splitTfjs, stepArtifact } from "@tributary/engine/tfjs-artifact";
import { train } from "@tributary/engine/training";
import { planContent, withLoss } from "@tributary/federation/planning";
import { splitWeights } from "@tributary/onnx";
import {
  parseTaskSpec,
  type EvaluationGraphDocument,
  type TaskSpec,
  type UpdateLayout,
} from "@tributary/protocol";
import { elementCount, parameterView, tensor, type ParameterSet } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { ModelRecord } from "../../src/ports/model-records.ts";
import { requireDatasets } from "../../src/registry/require-dataset.ts";
import { ModelWriter } from "../../../packages/onnx/test/support/block-models.ts";
import {
  packSequential,
  randomWeight,
  type LayerJson,
  type WeightJson,
} from "../../../packages/engine/test/tfjs/layers-model.ts";
import { WASM_PATHS } from "../../../packages/engine/test/tfjs/wasm-paths.ts";

/** A model written down twice. */
interface Twins {
  readonly name: string;
  readonly layers: readonly LayerJson[];
  readonly weights: readonly WeightJson[];
  /** The same as ONNX: weights have the same names, kernels of convolutions other axes. */
  readonly onnx: () => Uint8Array;
  readonly inputSize: number;
  /** Of the i-th example. @defaultValue one of three classes */
  readonly label?: (i: number) => Float32Array;
  readonly task: Record<string, unknown>;
}

const layer = (class_name: string, config: LayerJson["config"]): LayerJson => ({ class_name, config });

function onnxKernel({ name, shape, values }: WeightJson, writer: ModelWriter): string {
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const moved = new Float32Array(values.length);
  for (const [i, value] of values.entries()) moved[onnxPlace(shape, i)] = value;
  return writer.values(name, [outputs, inputs, height, width], moved);
}

const DENSE = [
  randomWeight("hidden/kernel", [6, 8]),
  randomWeight("hidden/bias", [8]),
  randomWeight("scores/kernel", [8, 3]),
  randomWeight("scores/bias", [3]),
];

const CNN = [
  randomWeight("conv/kernel", [3, 3, 1, 4]),
  randomWeight("conv/bias", [4]),
  randomWeight("norm/gamma", [4], 1),
  randomWeight("norm/beta", [4]),
  randomWeight("norm/moving_mean", [4]),
  randomWeight("norm/moving_variance", [4], 1),
  randomWeight("scores/kernel", [36, 3]),
  randomWeight("scores/bias", [3]),
];

/** Two layers, with this activation behind them. */
function denseTwins(name: string, [tfjs, onnx]: readonly [string, string]): Omit<Twins, "task"> {
  return {
    name,
    layers: [
      layer("Dense", { name: "hidden", units: 8, activation: "relu", batch_input_shape: [null, 6] }),
      layer("Dense", { name: "scores", units: 3, activation: tfjs }),
    ],
    weights: DENSE,
    onnx() {
      const writer = new ModelWriter();
      const [a, b, c, d] = DENSE.map(({ name: each, shape, values }) => writer.values(each, shape, values));
      const hidden = writer.op("Relu", [writer.op("Gemm", ["input", a!, b!])]);
      return writer.finish([6], writer.op(onnx, [writer.op("Gemm", [hidden, c!, d!])]), 17);
    },
    inputSize: 6,
  };
}

const TWINS: readonly Twins[] = [
  {
    ...denseTwins("dense, of yes-or-no outputs, by Adam", ["sigmoid", "Sigmoid"]),
    label: (i) => Float32Array.of(i % 2, i % 3 === 0 ? 1 : 0, 0),
    task: {
      metrics: [{ kind: "confusion" }],
      local: {
        batchSize: 4,
        learningRate: 0.02,
        loopSteps: 1,
        optimizer: { kind: "adam", weightDecay: 0.01 },
      },
    },
  },
  {
    ...denseTwins("dense, of numbers, by AdamW", ["tanh", "Tanh"]),
    label: (i) => Float32Array.of(i / 14, -2, 1 - i / 7),
    task: {
      loss: { kind: "huber", delta: 0.5 },
      metrics: [{ kind: "mae" }],
      local: { batchSize: 4, learningRate: 0.02, loopSteps: 1, optimizer: { kind: "adamw" } },
    },
  },
  {
    ...denseTwins("dense", ["softmax", "Softmax"]),
    task: {
      metrics: [{ kind: "topK", k: 2 }, { kind: "confusion" }],
      local: { batchSize: 4, learningRate: 0.1, loopSteps: 1 },
    },
  },
  {
    name: "cnn",
    layers: [
      layer("Conv2D", { name: "conv", filters: 4, kernel_size: [3, 3], batch_input_shape: [null, 8, 8, 1] }),
      layer("BatchNormalization", { name: "norm", axis: -1, momentum: 0.9, epsilon: 1e-3 }),
      layer("Activation", { name: "relu", activation: "relu" }),
      layer("MaxPooling2D", { name: "pool", pool_size: [2, 2] }),
      layer("Dropout", { name: "drop", rate: 0.25 }),
      layer("Flatten", { name: "flat" }),
      layer("Dense", { name: "scores", units: 3 }),
      layer("Softmax", { name: "probabilities", axis: -1 }),
    ],
    weights: CNN,
    onnx() {
      const writer = new ModelWriter();
      const kernel = onnxKernel(CNN[0]!, writer);
      const [bias, ...rest] = CNN.slice(1).map(({ name, shape, values }) =>
        writer.values(name, shape, values),
      );
      const image = writer.op("Transpose", ["input"], { perm: [0, 3, 1, 2] });
      const convolved = writer.op("Conv", [image, kernel, bias!]);
      const normal = writer.op(
        "BatchNormalization",
        [convolved, ...rest.slice(0, 4)],
        { training_mode: 1, momentum: { float: 0.9 }, epsilon: { float: 1e-3 } },
        ["normal", "mean", "variance"],
      );
      const pooled = writer.op("MaxPool", [writer.op("Relu", [normal])], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
      const last = writer.op("Transpose", [pooled], { perm: [0, 2, 3, 1] });
      const [ratio, mode] = [writer.constant(0.25), writer.truth()];
      const dropped = writer.op("Dropout", [last, ratio, mode]);
      const flat = writer.op("Flatten", [dropped]);
      return writer.finish(
        [8, 8, 1],
        writer.op("Softmax", [writer.op("Gemm", [flat, ...rest.slice(4)])]),
        17,
      );
    },
    inputSize: 64,
    task: {
      loss: { kind: "softmax-cross-entropy", labelSmoothing: 0.1, classWeights: [1, 2, 0.5] },
      local: {
        batchSize: 4,
        learningRate: 0.05,
        loopSteps: 1,
        optimizer: { kind: "momentum", momentum: 0.8, nesterov: true, weightDecay: 0.01 },
        clipGradientNorm: 0.5,
        proximalTerm: 0.1,
      },
    },
  },
];

const random = seededRandom("twins");
const examplesOf = ({
  inputSize,
  label = (i) => i % 3,
}: Pick<Twins, "inputSize"> & { label?: (i: number) => number | Float32Array }): LabelledValues[] =>
  Array.from({ length: 14 }, (_, i) => ({
    inputs: [Float32Array.from({ length: inputSize }, () => random.normal())],
    label: label(i),
  }));

/** Loss, hits and metrics of all examples at the base weights. */
async function evaluated(
  engine: Engine,
  base: ParameterSet,
  { content, graphs }: Awaited<ReturnType<typeof planOf>>,
  examples: readonly LabelledValues[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const { spec } = content.evaluation;
  const session = await engine.load(graphs.evaluation.model);
  const sums = new Map<string, number[]>();
  const order = examples.map((_, i) => i);
  for (const { feeds } of exampleRuns(spec, (i) => examples[i]!, order)) {
    const outputs = await session.run({ ...evaluationWeights(spec, base), ...feeds });
    for (const [output, { data }] of Object.entries(outputs)) {
      const before = sums.get(output) ?? [];
      sums.set(
        output,
        Array.from(data as Float32Array, (value, i) => (before[i] ?? 0) + value),
      );
    }
  }
  await session[Symbol.asyncDispose]();
  return sums;
}

function evaluationWeights({ parameters }: EvaluationGraphDocument, base: ParameterSet): Feeds {
  return Object.fromEntries(
    parameters.map(({ name, input, shape }) => [
      input,
      tensor("float32", [...shape], parameterView(base, name)),
    ]),
  );
}

const taskOf = (changes: Record<string, unknown>): TaskSpec =>
  parseTaskSpec({ name: "t", model: "m", secureAggregation: { mode: "off" }, ...changes });

async function planOf(spec: TaskSpec, parameters: ParameterSet, complete: Parameters<typeof withLoss>[1]) {
  return await planContent({
    spec: withLoss(spec, complete),
    number: 1,
    model: { model: spec.model, parameters: parameters.schema },
    complete,
    issuerPublicKey: new Uint8Array(32),
    readLossGraph: async () => undefined,
  });
}

function sourceOf(graph: Uint8Array) {
  return {
    document: readTfjsArtifact(graph).model,
    encode: (...given: Parameters<typeof stepArtifact> extends [unknown, ...infer Rest] ? Rest : never) =>
      stepArtifact(graph, ...given),
  };
}

/** Values of an update by the tensor's name. */
function byName({ tensors }: UpdateLayout, update: Float32Array): ReadonlyMap<string, Float32Array> {
  let at = 0;
  return new Map(
    tensors.map(({ name, shape }) => [name, update.subarray(at, (at += elementCount(shape)))] as const),
  );
}

let ort: Engine;
beforeAll(async () => {
  ort = await createOrtNodeEngine();
});
afterAll(() => ort.close());

describe.each(["cpu", "wasm"] as const)("on %s", (backend) => {
  test.each(TWINS)("$name trained by TensorFlow.js gives the update of its ONNX twin", async (twins) => {
    const spec = taskOf(twins.task);
    const examples = examplesOf(twins);
    const both = async (engine: Engine, base: ParameterSet, planned: Awaited<ReturnType<typeof planOf>>) => {
      const { content, graphs } = planned;
      const session = await engine.load(graphs.training.model);
      const result = await train({
        session,
        spec: content.training.spec,
        layout: content.update,
        base,
        examples,
        epochs: 2,
        learningRate: spec.local.learningRate,
        maxExamples: 100,
        random: seededRandom("order"),
      });
      await session[Symbol.asyncDispose]();
      const sums = await evaluated(engine, base, planned, examples);
      return { ...result, update: byName(content.update, result.update), sums };
    };
    const onnx = twins.onnx();
    const { parameters: onnxBase } = splitWeights(onnx);
    const expected = await both(ort, onnxBase, await planOf(spec, onnxBase, onnx));

    const { graph, parameters } = splitTfjs(await packSequential(twins.layers, twins.weights));
    const engine = await createTfjsEngine({ backend, wasmPaths: WASM_PATHS });
    const before = tfjsTensors();
    const actual = await both(engine, parameters, await planOf(spec, parameters, sourceOf(graph)));
    expect(tfjsTensors()).toBe(before);
    await engine.close();

    expect(actual.lossSum).toBeCloseTo(expected.lossSum, 4);
    expect([actual.correct, actual.numExamples]).toEqual([expected.correct, expected.numExamples]);
    expect([...actual.sums.keys()].toSorted()).toEqual([...expected.sums.keys()].toSorted());
    for (const [name, values] of actual.sums) {
      const close = expected.sums.get(name)!.map((value) => expect.closeTo(value, 3) as number);
      expect(values, name).toEqual(close);
    }
    expect([...actual.update.keys()].toSorted()).toEqual([...expected.update.keys()].toSorted());
    for (const { name, shape } of twins.weights) {
      const ours = actual.update.get(name)!;
      const theirs = expected.update.get(name)!;
      expect(ours.some((value) => Math.abs(value) > 1e-4)).toBe(true);
      for (const [i, value] of ours.entries()) {
        expect(value).toBeCloseTo(theirs[shape.length === 4 ? onnxPlace(shape, i) : i]!, 5);
      }
    }
  });
});

/** Where a value of a kernel [height, width, in, out] lies in [out, in, height, width]. */
function onnxPlace(shape: readonly number[], i: number): number {
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const [o, c] = [i % outputs, Math.floor(i / outputs) % inputs];
  const x = Math.floor(i / outputs / inputs) % width;
  const y = Math.floor(i / outputs / inputs / width);
  return ((o * inputs + c) * height + y) * width + x;
}

describe("what TensorFlow.js cannot train so is refused, by name", () => {
  const dense = (config: Record<string, unknown> = {}) =>
    layer("Dense", { name: "scores", units: 3, batch_input_shape: [null, 4], ...config });
  const weights = [randomWeight("scores/kernel", [4, 3]), randomWeight("scores/bias", [3])];
  const recurrent = ["kernel", "recurrent_kernel"].map((name, i) =>
    randomWeight(`rnn/${name}`, [i === 0 ? 2 : 4, 4]),
  );

  const CASES: readonly {
    readonly what: string;
    readonly layers: readonly LayerJson[];
    readonly weights?: readonly WeightJson[];
    readonly task?: Record<string, unknown>;
    readonly says: string;
    readonly path?: string;
  }[] = [
    {
      what: "noise of a layer's own",
      layers: [layer("GaussianNoise", { name: "noisy", stddev: 0.1, batch_input_shape: [null, 4] }), dense()],
      says: '"noisy" (GaussianNoise) draws at random',
    },
    {
      what: "dropout inside a recurrent layer",
      layers: [
        layer("SimpleRNN", {
          name: "rnn",
          units: 4,
          dropout: 0.5,
          use_bias: false,
          batch_input_shape: [null, 3, 2],
        }),
        layer("Dense", { name: "scores", units: 3 }),
      ],
      weights: [...recurrent, ...weights],
      says: "has dropout",
    },
    {
      what: "a constraint",
      layers: [dense({ kernel_constraint: { class_name: "NonNeg", config: {} } })],
      says: "kernel_constraint",
    },
    {
      what: "a frozen model",
      layers: [dense({ trainable: false })],
      says: "something has to learn",
      path: "/trainable",
    },
    { what: "adapters", layers: [dense()], task: { adapters: {} }, says: "ONNX", path: "/adapters" },
    {
      what: "batch normalization that is not there",
      layers: [dense()],
      task: { batchNormalization: "federated" },
      says: "no batch normalization",
      path: "/batchNormalization",
    },
    {
      what: "a loss graph",
      layers: [dense()],
      task: { loss: { kind: "graph", graph: "0".repeat(64) } },
      says: "ONNX graph",
      path: "/loss/kind",
    },
    {
      what: "engines that run no such model",
      layers: [dense()],
      task: { eligibility: { engines: ["ort-wasm"] } },
      says: "tfjs-wasm",
      path: "/eligibility/engines",
    },
    {
      what: "weights for other classes",
      layers: [dense()],
      task: { loss: { kind: "softmax-cross-entropy", classWeights: [1, 2] } },
      says: "3 classes",
      path: "/loss/classWeights",
    },
  ];

  test.each(CASES)("$what", async ({ layers, weights: own = weights, task = {}, says, path = "/model" }) => {
    const { graph, parameters } = splitTfjs(await packSequential(layers, own));
    await expect(planOf(taskOf(task), parameters, sourceOf(graph))).rejects.toMatchObject({
      code: "coordinator/invalid-task",
      detail: { path },
      message: expect.stringContaining(says) as string,
    });
  });

  test("a GraphModel, whose weights are constants", async () => {
    const { graph, parameters } = splitTfjs(await packSequential([dense()], weights));
    const { document, encode } = sourceOf(graph);
    const frozen = { document: { ...document, kind: "graph-model" as const, training: undefined }, encode };
    await expect(planOf(taskOf({}), parameters, frozen as never)).rejects.toThrow(
      "a GraphModel has no variables",
    );
  });

  test("a data set, where no TensorFlow.js is installed to evaluate on it", async () => {
    const spec = taskOf({ evaluation: { dataset: "0".repeat(64) } });
    const blobs = {} as BlobStore;
    await expect(
      requireDatasets(blobs, spec, { format: "tfjs" } as ModelRecord, () => false),
    ).rejects.toMatchObject({
      code: "coordinator/invalid-task",
      detail: { path: "/evaluation/dataset" },
    });
  });
});
