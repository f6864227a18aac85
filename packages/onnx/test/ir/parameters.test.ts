import { describe, expect, test } from "vitest";
import {
  bindWeights,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
  type TensorValue,
  type Trainable,
} from "../../src/index.ts";
import { attributesOf } from "../../src/ir/attributes.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";
import { floatsOf, ortNode } from "../support/engines.ts";
import { modelOf, nodeOf, rows } from "../support/small-model.ts";

const OPTIONS = { batchSize: 2, loss: "softmax-cross-entropy", optimizer: "sgd", target: "cpu" } as const;

/** A normalized input, two layers, a mask over the hidden places and a temperature. */
function model(): Uint8Array {
  const plain = decodeModel(
    modelOf({
      input: [4],
      output: [3],
      nodes: [
        nodeOf("Mul", ["x", "deviation"], ["scaled"]),
        nodeOf("Add", ["scaled", "mean"], ["normal"]),
        nodeOf("Transpose", ["first"], ["first.t"]),
        nodeOf("MatMul", ["normal", "first.t"], ["product"]),
        nodeOf("Add", ["shift", "product"], ["hidden"]),
        nodeOf("Add", ["hidden", "mask"], ["masked"]),
        nodeOf("Softmax", ["masked"], ["chosen"]),
        nodeOf("Mul", ["chosen", "gain"], ["gained"]),
        nodeOf("Gemm", ["gained", "last", "offset"], ["cold"]),
        nodeOf("Mul", ["cold", "temperature"], ["logits"]),
      ],
      weights: {
        deviation: [4],
        mean: [4],
        first: [3, 4],
        shift: [3],
        gain: [3],
        last: [3, 3],
        offset: [3],
        temperature: [],
      },
    }),
  );
  const initializers = [...plain.graph.initializers, floatTensor("mask", [3], [0, 0, -1e9])];
  return encodeModel({ ...plain, graph: { ...plain.graph, initializers } });
}

/** The same file as exporters write it that put every constant into a node. */
function withConstantNodes(bytes: Uint8Array): Uint8Array {
  const { graph, ...rest } = decodeModel(bytes);
  const asNode = (tensor: TensorValue) => ({
    ...nodeOf("Constant", [], [tensor.name]),
    attributes: attributesOf({ value: tensor }),
  });
  const nodes = [...graph.initializers.map(asNode), ...graph.nodes];
  return encodeModel({ ...rest, graph: { ...graph, nodes, initializers: [] } });
}

const WEIGHTS = ["first", "shift", "gain", "last", "offset"];
const names = (bytes: Uint8Array, trainable?: Trainable): string[] =>
  splitWeights(bytes, trainable).parameters.schema.map(({ name }) => name);

describe("parameters", () => {
  test("are what layers read as weights, with biases and scales behind them; no normalizer, no mask", () => {
    expect(names(model())).toEqual(WEIGHTS);
    const { spec } = buildTrainingGraph(model(), OPTIONS);
    expect(spec.parameters.map(({ name }) => name)).toEqual(WEIGHTS);
  });

  test("may be any float initializer that is named, a scalar too", () => {
    const trainable = ["temperature", "mean"];
    const { spec } = buildTrainingGraph(model(), { ...OPTIONS, trainable });
    expect(spec.parameters.map(({ name, shape }) => [name, shape])).toEqual([
      ["mean", [4]],
      ["temperature", []],
    ]);
    expect(names(model(), ["*t*"])).toEqual(["first", "shift", "last", "offset"]);
  });

  test("may be in Constant nodes", async () => {
    const bytes = withConstantNodes(model());
    expect(names(bytes)).toEqual(WEIGHTS);
    expect(buildTrainingGraph(bytes, OPTIONS).spec).toEqual(buildTrainingGraph(model(), OPTIONS).spec);
    const { graph, parameters } = splitWeights(bytes);
    expect(parameters).toEqual(splitWeights(model()).parameters);
    const engine = await ortNode();
    const run = async (file: Uint8Array): Promise<Float32Array> => {
      const session = await engine.load(file);
      const { logits } = await session.run({ x: new engine.Tensor("float32", rows(2, 4, "x"), [2, 4]) });
      await session.release();
      return floatsOf(logits);
    };
    expect(await run(bindWeights(graph, parameters))).toEqual(await run(model()));
  });
});
