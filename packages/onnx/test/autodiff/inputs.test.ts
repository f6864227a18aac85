import { seededRandom } from "@tributary/core";
import { parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
  type GraphPort,
} from "../../src/index.ts";
import { int64Tensor } from "../../src/ir/tensor-value.ts";
import { floatsOf, ortNode, type Feeds, type TestEngine } from "../support/engines.ts";
import { affineModel, modelOf, nodeOf } from "../support/small-model.ts";
import { feedsOf, randomBatch } from "../support/training.ts";
import { gradientOf, PROBE_RATE, ReferenceModel } from "../support/whole-model.ts";

const [BATCH, TOKENS, WORDS, WIDTH, SIDE, CLASSES] = [4, 5, 7, 6, 3, 3];
const OPTIONS = { batchSize: BATCH, loss: "softmax-cross-entropy", target: "cpu" } as const;

/** Words, which of them count, a segment for each and some measurements beside: a classifier of four inputs. */
function textModel(batch: number | string = "batch"): Uint8Array {
  const model = decodeModel(
    modelOf({
      input: [1],
      output: [CLASSES],
      nodes: [
        nodeOf("Gather", ["words", "ids"], ["word"]),
        nodeOf("Gather", ["segments", "segment"], ["part"]),
        nodeOf("Add", ["word", "part"], ["token"]),
        nodeOf("Unsqueeze", ["mask", "last"], ["column"]),
        nodeOf("Where", ["column", "token", "padding"], ["kept"]),
        nodeOf("ReduceMean", ["kept"], ["mean"], { axes: [1], keepdims: 0 }),
        nodeOf("Concat", ["mean", "side"], ["all"], { axis: 1 }),
        nodeOf("Reshape", ["all", "shape"], ["flat"]),
        nodeOf("Gemm", ["flat", "head", "bias"], ["logits"]),
      ],
      weights: {
        words: [WORDS, WIDTH],
        segments: [2, WIDTH],
        padding: [WIDTH],
        head: [WIDTH + SIDE, CLASSES],
        bias: [CLASSES],
      },
    }),
  );
  return encodeModel({
    ...model,
    graph: {
      ...model.graph,
      initializers: [
        ...model.graph.initializers,
        int64Tensor("last", [1], [2]),
        int64Tensor("shape", [2], [typeof batch === "number" ? batch : -1, WIDTH + SIDE]),
      ],
      inputs: [
        { name: "ids", elementType: "int64", shape: [batch, TOKENS] },
        { name: "mask", elementType: "bool", shape: [batch, TOKENS] },
        { name: "segment", elementType: "int32", shape: [batch, TOKENS] },
        { name: "side", elementType: "float32", shape: [batch, SIDE] },
      ],
    },
  });
}

const random = seededRandom("inputs");
const count = BATCH * TOKENS;
const VALUES: Readonly<Record<string, readonly number[]>> = {
  ids: Array.from({ length: count }, () => random.integer(WORDS)),
  mask: Array.from({ length: count }, (_, i) => (i % 5 === 3 ? 0 : 1)),
  segment: Array.from({ length: count }, () => random.integer(2)),
  side: Array.from(Float32Array.from({ length: BATCH * SIDE }, () => random.normal())),
};
const ARRAYS = {
  bool: (values: readonly number[]) => Uint8Array.from(values),
  float32: (values: readonly number[]) => Float32Array.from(values),
  int32: (values: readonly number[]) => Int32Array.from(values),
  int64: (values: readonly number[]) => BigInt64Array.from(values, BigInt),
};

/** `times` batches of the same examples. */
function feed(engine: TestEngine, inputs: readonly GraphPort[], times = 1): Feeds {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }) => {
      const values = Array.from({ length: times }, () => VALUES[name.replace(/.*\./u, "")]!).flat();
      const data = ARRAYS[dtype as keyof typeof ARRAYS](values);
      return [name, new engine.Tensor(dtype as "int64", data as BigInt64Array, shape)];
    }),
  );
}

describe("models of several inputs", () => {
  test.each(["batch", 1])("name them with type and shape; the file's batch is %s", (batch) => {
    const ports = [
      { name: "ids", dtype: "int64", shape: [BATCH, TOKENS] },
      { name: "mask", dtype: "bool", shape: [BATCH, TOKENS] },
      { name: "segment", dtype: "int32", shape: [BATCH, TOKENS] },
      { name: "side", dtype: "float32", shape: [BATCH, SIDE] },
    ];
    const { spec } = buildTrainingGraph(textModel(batch), { ...OPTIONS, optimizer: "sgd" });
    expect(spec.inputs).toEqual(ports);
    expect(spec.features).toEqual(ports[0]);
    expect(buildEvaluationGraph(textModel(batch), OPTIONS).spec.inputs).toEqual(ports);
  });

  test("gradients are those of a float64 interpreter, loss and hits too", async () => {
    const engine = await ortNode();
    const bytes = textModel();
    const { model, spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "sgd" });
    const { parameters } = splitWeights(bytes);
    const batch = { ...randomBatch(spec, "labels", CLASSES), inputs: VALUES };
    const session = await engine.load(model);
    const outputs = await session.run({
      ...feedsOf(engine, spec, batch, parameters, PROBE_RATE),
      ...feed(engine, spec.inputs),
    });
    await session.release();
    const reference = new ReferenceModel(bytes, batch);
    const { lossSum, correct } = reference.evaluate();
    expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! - lossSum)).toBeLessThan(1e-5);
    expect(floatsOf(outputs[spec.correct])[0]).toBe(correct);
    for (const { name } of spec.parameters) {
      const gradient = gradientOf(spec, name, parameterView(parameters, name), outputs);
      const size = gradient.reduce((sum, value) => sum + value * value, 0);
      expect(Math.abs(reference.slope(name, gradient) / size - 1), name).toBeLessThan(1e-4);
    }
  });

  test("a loop of steps takes all of them by step, with the same bits", async () => {
    const engine = await ortNode();
    const bytes = textModel();
    const { parameters } = splitWeights(bytes);
    const one = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "sgd" });
    const batch = randomBatch(one.spec, "labels", CLASSES);
    const session = await engine.load(one.model);
    const feeds = { ...feedsOf(engine, one.spec, batch, parameters, 0.1), ...feed(engine, one.spec.inputs) };
    for (let step = 0; step < 2; step += 1) {
      const outputs = await session.run(feeds);
      for (const { input, output } of one.spec.parameters) feeds[input] = outputs[output]!;
    }
    await session.release();
    const { model, spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "sgd", loopSteps: 2 });
    expect(spec.inputs.map(({ shape }) => shape.slice(0, 2))).toEqual(spec.inputs.map(() => [2, BATCH]));
    const looper = await engine.load(model);
    const twice = { ...batch, labels: Int32Array.of(...batch.labels, ...batch.labels) };
    const outputs = await looper.run({
      ...feedsOf(engine, spec, { ...twice, weights: new Float32Array(2 * BATCH).fill(1) }, parameters, 0.1),
      ...feed(engine, spec.inputs, 2),
      [spec.loop!.steps.name]: new engine.Tensor("int64", BigInt64Array.of(2n), []),
    });
    await looper.release();
    for (const [i, { name, output }] of spec.parameters.entries()) {
      expect(floatsOf(outputs[output]), name).toEqual(floatsOf(feeds[one.spec.parameters[i]!.input]));
    }
  });

  test.each([
    ["float64", Float64Array],
    ["int8", Int8Array],
    ["uint8", Uint8Array],
  ] as const)("%s goes in as it is where the model casts it", async (dtype, ArrayOf) => {
    const engine = await ortNode();
    const plain = decodeModel(affineModel(SIDE, CLASSES));
    const { nodes, inputs } = plain.graph;
    const cast = encodeModel({
      ...plain,
      graph: {
        ...plain.graph,
        inputs: [{ ...inputs[0]!, name: "raw", elementType: dtype }],
        nodes: [nodeOf("Cast", ["raw"], ["x"], { to: 1 }), ...nodes],
      },
    });
    const values = Array.from({ length: BATCH * SIDE }, (_, i) => (i * 7) % 4);
    const stepped = async (bytes: Uint8Array, data: unknown) => {
      const { model, spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "sgd" });
      const batch = randomBatch(spec, "labels", CLASSES);
      const session = await engine.load(model);
      const outputs = await session.run({
        ...feedsOf(engine, spec, batch, splitWeights(bytes).parameters, 0.1),
        [spec.features.name]: new engine.Tensor(
          spec.features.dtype as "float32",
          data as Float32Array,
          spec.features.shape,
        ),
      });
      await session.release();
      return { dtype: spec.features.dtype, weight: floatsOf(outputs[spec.parameters[0]!.output]) };
    };
    const { weight } = await stepped(affineModel(SIDE, CLASSES), Float32Array.from(values));
    expect(await stepped(cast, ArrayOf.from(values))).toEqual({ dtype, weight });
  });
});
