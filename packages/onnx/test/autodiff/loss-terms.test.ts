import type { ErrorCode } from "@tributary/core";
import { parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
  type GraphPort,
  type Loss,
  type Node,
  type TrainingGraphSpec,
  type ValueInfo,
} from "../../src/index.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";
import { ENGINES, floatsOf, type Feeds } from "../support/engines.ts";
import { affineModel, nodeOf, rows } from "../support/small-model.ts";

const [BATCH, INPUTS, OUTPUTS] = [5, 4, 3];
const features = rows(BATCH, INPUTS, "features");
const targets = rows(BATCH, OUTPUTS, "targets");
const classes = Int32Array.of(2, 0, 1, 1, 2);
const weights = Float32Array.of(1, 2, 0.5, 1, 0);

const value = (
  name: string,
  shape: ValueInfo["shape"],
  elementType: ValueInfo["elementType"] = "float32",
) => ({
  name,
  elementType,
  shape,
});

function lossGraph(nodes: readonly Node[], inputs: readonly ValueInfo[]): Uint8Array {
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 13 }],
    metadata: [],
    graph: {
      name: "loss",
      nodes,
      initializers: [floatTensor("third", [], [1 / OUTPUTS]), floatTensor("one", [], [1])],
      inputs,
      outputs: [value(nodes.at(-1)!.outputs[0]!, undefined)],
      valueInfo: [],
    },
  });
}

const squares = [nodeOf("Sub", ["y", "wanted"], ["e"]), nodeOf("Mul", ["e", "e"], ["s"])];
const each = [...squares, nodeOf("ReduceMean", ["s"], ["l"], { axes: [1], keepdims: 0 })] as const;
const wanted = value("wanted", ["N", OUTPUTS]);
const y = value("y", ["N", OUTPUTS]);
const perExample = lossGraph(each, [y, wanted]);
/** sum(w * l) / sum(w) */
const scalar = lossGraph(
  [
    ...each,
    nodeOf("Mul", ["l", "sampleWeights"], ["wl"]),
    nodeOf("ReduceSum", ["wl"], ["sum"], { keepdims: 0 }),
    nodeOf("ReduceSum", ["sampleWeights"], ["all"], { keepdims: 0 }),
    nodeOf("Div", ["sum", "all"], ["mean"]),
  ],
  [y, wanted, value("sampleWeights", ["N"])],
);

/** Two layers behind one: y for classes, r for numbers, and the input's own reconstruction. */
function twoHeads(): Uint8Array {
  const base = decodeModel(affineModel(INPUTS, OUTPUTS));
  return encodeModel({
    ...base,
    graph: {
      ...base.graph,
      nodes: [
        ...base.graph.nodes,
        nodeOf("Gemm", ["y", "w2"], ["r"]),
        nodeOf("Softmax", ["y"], ["p"]),
        nodeOf("Gemm", ["y", "w3"], ["again"]),
      ],
      initializers: [
        ...base.graph.initializers,
        floatTensor("w2", [OUTPUTS, 2], rows(OUTPUTS, 2, "w2")),
        floatTensor("w3", [OUTPUTS, INPUTS], rows(OUTPUTS, INPUTS, "w3")),
      ],
      outputs: [
        value("p", ["N", OUTPUTS]),
        value("r", ["N", 2]),
        value("again", ["N", INPUTS]),
        value("y", ["N", OUTPUTS]),
      ],
    },
  });
}

describe.each(ENGINES)("losses of one's own and of several outputs on %s", (_, open) => {
  async function gradientOf(
    model: Uint8Array,
    loss: Loss,
    labels: Readonly<Record<string, Float32Array | Int32Array>>,
    fed: { readonly features?: Float32Array } = {},
  ) {
    const engine = await open();
    const { Tensor } = engine;
    const { parameters } = splitWeights(model);
    const built = buildTrainingGraph(model, { batchSize: BATCH, loss, optimizer: "none", target: "cpu" });
    const { spec } = built;
    const feeds: Feeds = {
      [spec.features.name]: new Tensor("float32", fed.features ?? features, spec.features.shape),
      [spec.sampleWeights.name]: new Tensor("float32", weights, [BATCH]),
      [spec.learningRate.name]: new Tensor("float32", Float32Array.of(1), []),
    };
    for (const port of [spec.labels, ...(spec.moreLabels ?? [])]) {
      const data = labels[port.name.replace(/^tributary\.labels\.?/u, "")] ?? new Float32Array(BATCH);
      feeds[port.name] =
        data instanceof Int32Array
          ? new Tensor("int32", data, port.shape)
          : new Tensor("float32", data, port.shape);
    }
    for (const { name, input, shape } of spec.parameters) {
      feeds[input] = new Tensor("float32", parameterView(parameters, name), shape);
    }
    const session = await engine.load(built.model);
    const outputs = await session.run(feeds);
    await session.release();
    return {
      spec,
      lossSum: floatsOf(outputs[spec.lossSum])[0]!,
      correct: floatsOf(outputs[spec.correct])[0]!,
      metrics: Object.fromEntries(
        (spec.metrics ?? []).map(({ name, output }) => [name, floatsOf(outputs[output])[0]!]),
      ),
      gradient: spec.parameters.flatMap(({ output }) => [...floatsOf(outputs[output])]),
    };
  }

  function expectClose(got: readonly number[], expected: readonly number[]): void {
    expect(got.length).toBe(expected.length);
    for (const [i, one] of got.entries()) expect(Math.abs(one - expected[i]!), `${i}`).toBeLessThan(2e-6);
  }

  test.each([
    ["of each example", perExample],
    ["as a scalar", scalar],
  ])("a graph that writes mse out, %s, is mse", async (__, graph) => {
    const model = affineModel(INPUTS, OUTPUTS);
    const own = await gradientOf(model, { kind: "graph", graph }, { "": targets });
    const builtIn = await gradientOf(model, "mse", { "": targets });
    expect(own.spec.labels).toEqual(builtIn.spec.labels);
    expect([own.spec.labelNames, builtIn.spec.labelNames]).toEqual([["wanted"], ["y"]]);
    expect(own.lossSum).toBeCloseTo(builtIn.lossSum, 5);
    expect(own.correct).toBe(0);
    expectClose(own.gradient, builtIn.gradient);
  });

  test("what a row of weight 0 holds changes no bit of a graph's gradient", async () => {
    const model = affineModel(INPUTS, OUTPUTS);
    const other = features.map((one, i) => (i < (BATCH - 1) * INPUTS ? one : 9));
    const loss = { kind: "graph", graph: perExample } as const;
    const [padded, plain] = await Promise.all([
      gradientOf(model, loss, { "": targets }, { features: other }),
      gradientOf(model, loss, { "": targets }),
    ]);
    expect(padded.gradient).toEqual(plain.gradient);
  });

  test("several outputs: the weighted sum of the losses and of their gradients", async () => {
    const model = twoHeads();
    const numbers = rows(BATCH, 2, "numbers");
    const both = await gradientOf(
      model,
      [
        { output: "p", loss: "softmax-cross-entropy" },
        { output: "r", loss: "mse", weight: 0.25 },
      ],
      { p: classes, r: numbers },
    );
    const [first, second] = [
      await gradientOf(model, "softmax-cross-entropy", { "": classes }),
      await gradientOf(model, [{ output: "r", loss: "mse" }], { "": numbers }),
    ];
    expect(both.lossSum).toBeCloseTo(first.lossSum + second.lossSum / 4, 5);
    expect(both.correct).toBe(first.correct);
    expect(both.metrics["p.loss"]).toBeCloseTo(first.lossSum, 5);
    expect(both.metrics["r.loss"]).toBeCloseTo(second.lossSum, 5);
    expectClose(
      both.gradient,
      first.gradient.map((one, i) => one + second.gradient[i]! / 4),
    );
  });

  test("a graph may read the model's input instead of a label", async () => {
    const model = twoHeads();
    const graph = lossGraph(
      [
        nodeOf("Sub", ["again", "x"], ["e"]),
        nodeOf("Mul", ["e", "e"], ["s"]),
        nodeOf("ReduceMean", ["s"], ["l"], { axes: [1], keepdims: 1 }),
      ],
      [value("again", ["N", INPUTS]), value("x", ["N", INPUTS])],
    );
    const own = await gradientOf(model, { kind: "graph", graph }, {});
    const told = await gradientOf(model, [{ output: "again", loss: "mse" }], { "": features });
    expect(own.spec.labels).toMatchObject({ dtype: "float32", shape: [BATCH] });
    expectClose(own.gradient, told.gradient);
  });
});

describe("losses of several outputs", () => {
  const loss: Loss = [
    { output: "p", loss: "softmax-cross-entropy" },
    { output: "r", loss: "mse" },
  ];

  test("metrics are those of the outputs they go with", () => {
    const { spec } = buildEvaluationGraph(twoHeads(), { batchSize: 2, loss, metrics: ["mae", "confusion"] });
    expect(spec.metrics?.map(({ name }) => name)).toEqual(["p.loss", "p.confusion", "r.loss", "r.mae"]);
  });

  test("a loop takes batches of every label", () => {
    const options = { batchSize: 2, loss, optimizer: "sgd", target: "cpu", loopSteps: 3 } as const;
    const { spec }: { spec: TrainingGraphSpec } = buildTrainingGraph(twoHeads(), options);
    const ports: readonly GraphPort[] = [spec.labels, ...(spec.moreLabels ?? [])];
    expect(ports.map(({ dtype, shape }) => [dtype, shape])).toEqual([
      ["int32", [3, 2]],
      ["float32", [3, 2, 2]],
    ]);
    expect(spec.labelNames).toEqual(["p", "r"]);
  });

  const strange = value("wanted", ["N", "M"]);
  const refused: readonly [string, Loss, ErrorCode][] = [
    ["a kind that is none", { kind: "hinge" } as unknown as Loss, "onnx/invalid-option"],
    ["a name that is none", "crossentropy" as Loss, "onnx/invalid-option"],
    ["no loss at all", [], "onnx/invalid-option"],
    ["a weight of 0", [{ output: "r", loss: "mse", weight: 0 }], "onnx/invalid-option"],
    ["two on one output", [...loss, { output: "r", loss: "mae" }], "onnx/invalid-option"],
    ["an output that is not there", [{ output: "q", loss: "mse" }], "onnx/unsupported-graph"],
    ["classes on numbers", [{ output: "image", loss: "softmax-cross-entropy" }], "onnx/unsupported-graph"],
    [
      "a label of unknown size",
      { kind: "graph", graph: lossGraph(each, [y, strange]) },
      "onnx/invalid-option",
    ],
    [
      "a result that is neither of each example nor a scalar",
      { kind: "graph", graph: lossGraph(squares, [y, wanted]) },
      "onnx/invalid-option",
    ],
    [
      "a scalar that counts padding",
      {
        kind: "graph",
        graph: lossGraph([...each, nodeOf("ReduceMean", ["l"], ["m"], { keepdims: 0 })], [y, wanted]),
      },
      "onnx/invalid-option",
    ],
  ];
  test.each(refused)("refuse %s", (_, one, code) => {
    const build = () => buildEvaluationGraph(twoHeads(), { batchSize: 2, loss: one });
    expect(build).toThrowError(expect.objectContaining({ code }));
  });

  test("an unknown kind is told the allowed ones", () => {
    const build = () => buildEvaluationGraph(twoHeads(), { batchSize: 2, loss: "hinge" as Loss });
    expect(build).toThrowError(/softmax-cross-entropy, sigmoid-cross-entropy, mse, mae, huber, graph/u);
  });
});
