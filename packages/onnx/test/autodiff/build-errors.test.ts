import type { ErrorCode } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { AttributeLiteral } from "../../src/ir/attributes.ts";
import { attributesOf } from "../../src/ir/attributes.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";
import {
  build2nn,
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  type Graph,
  type Model,
  type Node,
  type TrainingGraphOptions,
} from "../../src/index.ts";

const OPTIONS: TrainingGraphOptions = {
  batchSize: 4,
  loss: "softmax-cross-entropy",
  optimizer: "sgd",
  target: "cpu",
};
const base = decodeModel(build2nn({ seed: 1 }));

function changed(graph: Partial<Graph>, model: Partial<Model> = {}): Uint8Array {
  return encodeModel({ ...base, ...model, graph: { ...base.graph, ...graph } });
}

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeLiteral>> = {},
): Node {
  return { name: "", domain: "", opType, inputs, outputs, attributes: attributesOf(attributes) };
}

/** The model with one more operator behind the logits. */
function headed(opType: string, attributes: Readonly<Record<string, AttributeLiteral>> = {}): Uint8Array {
  return changed({
    nodes: [...base.graph.nodes, node(opType, ["logits"], ["head"], attributes)],
    outputs: [{ name: "head", elementType: "float32", shape: ["batch", 10] }],
  });
}

describe("buildTrainingGraph refuses", () => {
  const cases: [string, Uint8Array, ErrorCode][] = [
    ["an operator without gradient", headed("LRN", { size: 3 }), "onnx/no-gradient"],
    ["an operator it does not know", headed("Det"), "onnx/unsupported-graph"],
    [
      "a training graph as model",
      buildTrainingGraph(build2nn({ seed: 1 }), OPTIONS).model,
      "onnx/invalid-model",
    ],
    ["a model without weights", changed({ initializers: [] }), "onnx/invalid-model"],
    [
      "an old operator set",
      changed({}, { opsetImports: [{ domain: "", version: 6 }] }),
      "onnx/unsupported-opset",
    ],
    [
      "an input of another element type",
      changed({ inputs: [...base.graph.inputs, { name: "more", elementType: "uint16", shape: [1] }] }),
      "onnx/unsupported-graph",
    ],
    [
      "an input without a batch",
      changed({ inputs: [...base.graph.inputs, { name: "more", elementType: "float32", shape: [] }] }),
      "onnx/unknown-shape",
    ],
    ["a model without inputs", changed({ inputs: [] }), "onnx/invalid-model"],
    [
      "an input with unknown sizes",
      changed({
        inputs: [{ name: "image", elementType: "float32", shape: ["batch", 1, "height", "width"] }],
      }),
      "onnx/unknown-shape",
    ],
    [
      "shapes that do not fit",
      changed({ inputs: [{ name: "image", elementType: "float32", shape: ["batch", 1, 20, 20] }] }),
      "onnx/shape-mismatch",
    ],
    ["a value nobody makes", changed({ nodes: base.graph.nodes.slice(1) }), "onnx/invalid-model"],
    [
      "a value made twice",
      changed({ nodes: [...base.graph.nodes, node("Relu", ["image"], ["logits"])] }),
      "onnx/invalid-model",
    ],
    [
      "a cycle",
      changed({ nodes: [node("Add", ["image", "b"], ["a"]), node("Relu", ["a"], ["b"])] }),
      "onnx/invalid-model",
    ],
    [
      "two initializers of one name",
      changed({ initializers: [...base.graph.initializers, floatTensor("fc1.bias", [1], [0])] }),
      "onnx/invalid-model",
    ],
  ];
  test.each(cases)("%s", (_, model, code) => {
    expect(() => buildTrainingGraph(model, OPTIONS)).toThrowError(expect.objectContaining({ code }));
  });

  test.each([0, -1, 1.5, Number.NaN, 1e9])("a batch size of %s", (batchSize) => {
    expect(() => buildTrainingGraph(build2nn({ seed: 1 }), { ...OPTIONS, batchSize })).toThrow(RangeError);
  });

  test("a parameter that is not there, naming those that are", () => {
    const build = () => buildTrainingGraph(build2nn({ seed: 1 }), { ...OPTIONS, trainable: ["fc9.weight"] });
    expect(build).toThrowError(/fc9\.weight.*fc1\.weight, fc1\.bias/u);
  });
});

describe("buildTrainingGraph", () => {
  test("gives the same bytes for the same model", () => {
    const model = build2nn({ seed: 1 });
    expect(buildTrainingGraph(model, OPTIONS)).toEqual(buildTrainingGraph(model, OPTIONS));
  });

  test("does not depend on the weights, so that plans outlive versions", () => {
    const [one, two] = [1, 2].map((seed) => buildTrainingGraph(build2nn({ seed }), OPTIONS));
    expect(one).toEqual(two);
  });

  test.each(["Softmax", "LogSoftmax", "Identity"])("puts the loss before a %s", (opType) => {
    const [plain, with_] = [build2nn({ seed: 1 }), headed(opType)].map((model) =>
      buildTrainingGraph(model, OPTIONS),
    );
    expect(decodeModel(with_!.model).graph.nodes.length).toBe(decodeModel(plain!.model).graph.nodes.length);
    // Examples call the label by the output that the model declares.
    expect(plain!.spec.labelNames).toEqual(["logits"]);
    expect(with_!.spec).toEqual({ ...plain!.spec, labelNames: ["head"] });
  });

  test("adds reserved names only", () => {
    const { graph } = decodeModel(buildTrainingGraph(build2nn({ seed: 1 }), OPTIONS).model);
    const own = new Set(base.graph.nodes.flatMap(({ outputs }) => outputs));
    const added = [
      ...graph.nodes.flatMap(({ outputs }) => outputs),
      ...graph.initializers.map(({ name }) => name),
    ].filter((name) => !own.has(name));
    expect(added.length).toBeGreaterThan(20);
    expect(added.filter((name) => !name.startsWith("tributary."))).toEqual([]);
  });

  test("frozen parameters stay constants and cost no backward pass", () => {
    const last = ["fc3.weight", "fc3.bias"];
    const all = buildTrainingGraph(build2nn({ seed: 1 }), OPTIONS);
    const head = buildTrainingGraph(build2nn({ seed: 1 }), { ...OPTIONS, trainable: last });
    expect(head.spec.parameters.map(({ name }) => name)).toEqual(last);
    const graph = decodeModel(head.model).graph;
    expect(graph.initializers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]),
    );
    expect(graph.nodes.length).toBeLessThan(decodeModel(all.model).graph.nodes.length);
  });

  test("evaluation takes the same parameters in the same order", () => {
    const model = build2nn({ seed: 1 });
    const training = buildTrainingGraph(model, OPTIONS).spec;
    const evaluation = buildEvaluationGraph(model, { batchSize: 4, loss: "softmax-cross-entropy" }).spec;
    expect(evaluation.parameters).toEqual(
      training.parameters.map(({ name, shape, input }) => ({ name, shape, input })),
    );
    expect(evaluation.features).toEqual({ name: "image", dtype: "float32", shape: [4, 1, 28, 28] });
    expect(evaluation.labels).toMatchObject({ dtype: "int32", shape: [4] });
  });
});
