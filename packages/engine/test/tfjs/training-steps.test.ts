import { seededRandom } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import type { LabelledValues } from "@tributary/engine/batches";
import { train, type TrainingState, type TrainRequest } from "@tributary/engine/training";
import type { TfjsTrainingStep } from "@tributary/protocol";
import { elementCount, tensor } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { readTfjsArtifact, splitTfjs, stepArtifact } from "../../src/tfjs/artifact.ts";
import { createTfjsEngine, tfjsTensors } from "../../src/tfjs/index.ts";
import { packSequential, randomWeight } from "./layers-model.ts";
import { WASM_PATHS } from "./wasm-paths.ts";

const BATCH = 4;
const float = (name: string, shape: readonly number[]) => ({ name, dtype: "float32" as const, shape });

/** A model of an embedding, a depthwise convolution and a max pooling: what the WASM backend has no gradients of by itself. */
async function artifact() {
  const weights = [
    randomWeight("words/embeddings", [12, 6]),
    randomWeight("depth/depthwise_kernel", [2, 2, 1, 2]),
    randomWeight("depth/bias", [2]),
    randomWeight("scores/kernel", [8, 3]),
    randomWeight("scores/bias", [3]),
  ];
  const packed = await packSequential(
    [
      {
        class_name: "Embedding",
        config: { name: "words", input_dim: 12, output_dim: 6, batch_input_shape: [null, 5] },
      },
      { class_name: "Reshape", config: { name: "image", target_shape: [5, 6, 1] } },
      { class_name: "DepthwiseConv2D", config: { name: "depth", kernel_size: [2, 2], depth_multiplier: 2 } },
      { class_name: "MaxPooling2D", config: { name: "pool", pool_size: [2, 2] } },
      { class_name: "Dropout", config: { name: "drop", rate: 0.25 } },
      { class_name: "Flatten", config: { name: "flat" } },
      {
        class_name: "Dense",
        config: {
          name: "scores",
          units: 3,
          kernel_regularizer: { class_name: "L1L2", config: { l1: 0, l2: 0.01 } },
        },
      },
    ],
    weights,
  );
  const { graph, parameters: base } = splitTfjs(packed);
  const { model } = readTfjsArtifact(graph);
  const [dropout] = model.training!.dropouts;
  const spec: TfjsTrainingStep["spec"] = {
    kind: "train",
    batchSize: BATCH,
    features: float("words_input", [BATCH, 5]),
    labels: { name: "labels", dtype: "int32", shape: [BATCH] },
    sampleWeights: float("weights", [BATCH]),
    lossSum: "loss",
    correct: "correct",
    learningRate: float("rate", []),
    parameters: base.schema.map(({ name, shape }) => ({
      name,
      shape: [...shape],
      input: name,
      output: `next.${name}`,
    })),
    dropouts: [{ input: "mask", shape: [BATCH, ...dropout!.shape.slice(1)], ratio: dropout!.ratio }],
  };
  const step = stepArtifact(graph, model, {
    kind: "train",
    spec,
    losses: [{ kind: "softmax-cross-entropy", output: "scores", labels: "labels", weight: 1 }],
    metrics: [],
    optimizer: { kind: "sgd" },
    movedStatistics: [],
    dropoutLayers: { mask: dropout!.layer },
  });
  return { step, spec, base };
}

const random = seededRandom("words");
const examples: LabelledValues[] = Array.from({ length: 11 }, (_, i) => ({
  inputs: [Float32Array.from({ length: 5 }, () => random.integer(12))],
  label: i % 3,
}));

let made: Awaited<ReturnType<typeof artifact>>;
beforeAll(async () => {
  made = await artifact();
});

const request = (session: Session, more: Partial<TrainRequest> = {}): TrainRequest => ({
  session,
  spec: made.spec,
  layout: {
    tensors: made.spec.parameters.map(({ name, shape }) => ({ name, shape, role: "weight" })),
    maxStatisticChange: 1,
  },
  base: made.base,
  examples,
  epochs: 3,
  learningRate: 0.1,
  maxExamples: 100,
  random: seededRandom("order"),
  ...more,
});

async function withSession<T>(engine: Engine, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await engine.load(made.step);
  try {
    return await use(session);
  } finally {
    await session[Symbol.asyncDispose]();
    await engine.close();
  }
}

describe.each(["cpu", "wasm"] as const)("steps of training on %s", (backend) => {
  const open = () => createTfjsEngine({ backend, wasmPaths: WASM_PATHS });

  test("leave no tensor behind: not after many, not where a run is refused or aborted", async () => {
    const engine = await open();
    const before = tfjsTensors();
    await withSession(engine, async (session) => {
      const loaded = tfjsTensors();
      await train(request(session, { epochs: 30 }));
      expect(tfjsTensors()).toBe(loaded);
      await expect(session.run({})).rejects.toMatchObject({ code: "engine/missing-input" });
      const stop = new AbortController();
      const aborted = train(
        request(session, {
          signal: stop.signal,
          onProgress: ({ step }) => step === 4 && stop.abort(new Error("enough")),
        }),
      );
      await expect(aborted).rejects.toThrow("enough");
      // Words that there are none of: the step itself may fail.
      const feeds = Object.fromEntries(
        session.inputPorts.map(({ name, dtype, shape }) => {
          const size = elementCount(shape as number[]);
          const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size).fill(99);
          return [name, tensor(dtype, shape as number[], values)];
        }),
      );
      await session.run(feeds).catch(() => undefined);
      expect(tfjsTensors()).toBe(loaded);
    });
    expect(tfjsTensors()).toBe(before);
  });

  test("go on from any batch to the same update, masks of dropouts included", async () => {
    await withSession(await open(), async (session) => {
      const states: TrainingState[] = [];
      const whole = await train(request(session, { onState: (state) => states.push(state) }));
      expect(states).toHaveLength(9);
      const resumed = await train(request(session, { resume: states[4]! }));
      expect(resumed).toEqual(whole);
    });
  });
});

test("both backends compute the same", async () => {
  const [cpu, wasm] = await Promise.all(
    (["cpu", "wasm"] as const).map(async (backend) =>
      withSession(await createTfjsEngine({ backend, wasmPaths: WASM_PATHS }), (session) =>
        train(request(session, { epochs: 8 })),
      ),
    ),
  );
  expect(cpu!.update.some((value) => Math.abs(value) > 0.01)).toBe(true);
  for (const [i, value] of wasm!.update.entries()) expect(value).toBeCloseTo(cpu!.update[i]!, 4);
});
