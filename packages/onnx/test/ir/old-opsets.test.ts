import { parameterView, type ParameterSet } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  bindWeights,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
  type Node,
  type TensorValue,
} from "../../src/index.ts";
import { attributesOf, type AttributeLiteral } from "../../src/ir/attributes.ts";
import { floatTensor, int64Tensor } from "../../src/ir/tensor-value.ts";
import { floatsOf, ortNode, type TestEngine } from "../support/engines.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";
import { feedsOf, randomBatch } from "../support/training.ts";

const [BATCH, INPUTS, CLASSES] = [4, 5, 3];

/** An operator as exporters of its time wrote it, between a first layer [batch, 2, 2, 3] and a last one. */
interface OldCase {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, AttributeLiteral>>;
  /** Inputs behind the first layer's result. */
  readonly constants?: readonly TensorValue[];
  /** Outputs by name, and those that go on. @defaultValue one */
  readonly outputs?: readonly string[];
  readonly used?: readonly string[];
  /** Elements of an example that go on. */
  readonly size: number;
}

const upsampled = floatTensor("scales", [4], [1, 1, 2, 2]);
const CASES: readonly OldCase[] = [
  { op: "Split", opset: 7, attributes: { axis: 3, split: [1, 2] }, outputs: ["a", "b"], size: 12 },
  { op: "Split", opset: 11, attributes: { axis: 1 }, outputs: ["a", "b"], used: ["b"], size: 6 },
  { op: "Split", opset: 13, attributes: { axis: 3 }, outputs: ["a", "b", "c"], size: 12 },
  {
    op: "Split",
    opset: 17,
    attributes: { axis: 3 },
    constants: [int64Tensor("sizes", [2], [2, 1])],
    outputs: ["a", "b"],
    size: 12,
  },
  { op: "ReduceLogSum", opset: 11, attributes: { axes: [3], keepdims: 0 }, size: 4 },
  { op: "ReduceLogSumExp", opset: 17, attributes: { axes: [-1], keepdims: 0 }, size: 4 },
  {
    op: "BatchNormalization",
    opset: 7,
    attributes: { spatial: 1 },
    constants: ["scale", "shift", "mean", "variance"].map((name) => floatTensor(name, [2], [0.5, 1.5])),
    size: 12,
  },
  { op: "Upsample", opset: 9, constants: [upsampled], size: 48 },
  { op: "Upsample", opset: 9, constants: [upsampled], attributes: { mode: "linear" }, size: 48 },
  { op: "Resize", opset: 10, constants: [upsampled], size: 48 },
  { op: "Resize", opset: 10, constants: [floatTensor("scales", [4], [1, 1, 0.5, 0.5])], size: 2 },
  {
    op: "Resize",
    opset: 11,
    constants: [
      floatTensor("region", [0], []),
      floatTensor("scales", [0], []),
      int64Tensor("sizes", [4], [BATCH, 2, 3, 5]),
    ],
    attributes: { mode: "linear" },
    size: 30,
  },
  {
    op: "Scatter",
    opset: 10,
    attributes: { axis: 3 },
    constants: [
      int64Tensor(
        "indices",
        [BATCH, 2, 2, 1],
        Array.from({ length: BATCH * 4 }, (_, i) => i % 3),
      ),
      floatTensor(
        "updates",
        [BATCH, 2, 2, 1],
        Array.from({ length: BATCH * 4 }, (_, i) => i / 8),
      ),
    ],
    size: 12,
  },
  { op: "Dropout", opset: 7, attributes: { ratio: { float: 0.5 } }, size: 12 },
  { op: "Clip", opset: 7, attributes: { min: { float: 0.2 }, max: { float: 0.9 } }, size: 12 },
  { op: "Pad", opset: 7, attributes: { pads: [0, 0, 1, 0, 0, 0, 0, 1], mode: "edge" }, size: 24 },
  { op: "Slice", opset: 9, attributes: { starts: [1], ends: [3], axes: [3] }, size: 8 },
  { op: "Softmax", opset: 11, attributes: { axis: 3 }, size: 12 },
  {
    op: "GroupNormalization",
    opset: 18,
    attributes: { num_groups: 2 },
    constants: scaleAndShift(2),
    size: 12,
  },
  {
    op: "GroupNormalization",
    opset: 21,
    attributes: { num_groups: 1 },
    constants: scaleAndShift(2),
    size: 12,
  },
];

function scaleAndShift(size: number): TensorValue[] {
  return ["scale", "shift"].map((name) => floatTensor(name, [size], [1.5, 0.5].slice(0, size)));
}

function modelAround(old: OldCase): Uint8Array {
  const outputs = old.outputs ?? ["a"];
  const used = old.used ?? outputs;
  const flat = used.map((name) => nodeOf("Flatten", [name], [`${name}.flat`], { axis: 1 }));
  const nodes: Node[] = [
    nodeOf("Gemm", ["x", "first", "bias"], ["rows"]),
    nodeOf("Sigmoid", ["rows"], ["positive"]),
    nodeOf("Reshape", ["positive", "shape"], ["image"]),
    {
      ...nodeOf(old.op, ["image", ...(old.constants ?? []).map(({ name }) => name)], outputs),
      attributes: attributesOf(old.attributes ?? {}),
    },
    ...flat,
    nodeOf(
      "Concat",
      used.map((name) => `${name}.flat`),
      ["all"],
      { axis: 1 },
    ),
    nodeOf("Gemm", ["all", "last", "offset"], ["logits"]),
  ];
  const model = decodeModel(
    modelOf({
      input: [INPUTS],
      output: [CLASSES],
      nodes,
      weights: { first: [INPUTS, 12], bias: [12], last: [old.size, CLASSES], offset: [CLASSES] },
    }),
  );
  const added = [int64Tensor("shape", [4], [-1, 2, 2, 3]), ...(old.constants ?? [])];
  return encodeModel({
    ...model,
    opsetImports: [{ domain: "", version: old.opset }],
    graph: { ...model.graph, initializers: [...model.graph.initializers, ...added] },
  });
}

/** The mean loss of a model as it is. */
async function lossOf(
  engine: TestEngine,
  graph: Uint8Array,
  parameters: ParameterSet,
  batch: ReturnType<typeof randomBatch>,
): Promise<number> {
  const session = await engine.load(bindWeights(graph, parameters));
  const outputs = await session.run({ x: new engine.Tensor("float32", batch.features, [BATCH, INPUTS]) });
  await session.release();
  const logits = floatsOf(outputs["logits"]);
  let sum = 0;
  for (const [row, label] of batch.labels.entries()) {
    const scores = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
    const total = scores.reduce((all, score) => all + Math.exp(score), 0);
    sum += Math.log(total) - scores[label]!;
  }
  return sum / BATCH;
}

describe("models of old operator sets train", () => {
  test.each(CASES)("$op of operator set $opset", async (old) => {
    const engine = await ortNode();
    const bytes = modelAround(old);
    const { model, spec } = buildTrainingGraph(bytes, {
      batchSize: BATCH,
      loss: "softmax-cross-entropy",
      optimizer: "none",
      target: "cpu",
    });
    const { graph, parameters } = splitWeights(bytes);
    const batch = randomBatch(spec, "old", CLASSES);
    const session = await engine.load(model);
    const outputs = await session.run(feedsOf(engine, spec, batch, parameters));
    await session.release();
    const loss = floatsOf(outputs[spec.lossSum])[0]! / BATCH;
    expect(Math.abs((await lossOf(engine, graph, parameters, batch)) - loss)).toBeLessThan(1e-5);
    // Along the gradient of the first layer the loss grows as the gradient says.
    const { name, output } = spec.parameters[0]!;
    const gradient = floatsOf(outputs[output]);
    const squares = gradient.reduce((sum, value) => sum + value * value, 0);
    const step = 0.02 / Math.sqrt(squares);
    const moved = async (by: number): Promise<number> => {
      const values = parameters.values.slice();
      const there = { ...parameters, values };
      parameterView(there, name).forEach((value, i, view) => (view[i] = value + by * gradient[i]!));
      return lossOf(engine, graph, there, batch);
    };
    const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
    expect(Math.abs(slope / squares - 1)).toBeLessThan(0.01);
  });

  test("a normalization of each place by itself is refused", () => {
    const bytes = modelAround({
      op: "BatchNormalization",
      opset: 7,
      attributes: { spatial: 0 },
      constants: ["scale", "shift", "mean", "variance"].map((name) => floatTensor(name, [2], [1, 1])),
      size: 12,
    });
    const build = () =>
      buildTrainingGraph(bytes, {
        batchSize: BATCH,
        loss: "softmax-cross-entropy",
        optimizer: "sgd",
        target: "cpu",
      });
    expect(build).toThrowError(expect.objectContaining({ code: "onnx/unsupported-attribute" }));
  });
});
