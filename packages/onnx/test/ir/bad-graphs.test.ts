import { TributaryError } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { attributesOf } from "../../src/ir/attributes.ts";
import { decodeModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import { sortNodes } from "../../src/ir/graph-order.ts";
import type { Graph, Model, Node } from "../../src/ir/model.ts";
import { SHAPE_RULES } from "../../src/ir/shape-rules/index.ts";
import { inferShapes } from "../../src/ir/shapes.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";
import { ModelSpec } from "../../src/proto/onnx-messages.ts";
import { writeMessage } from "../../src/proto/write-message.ts";
import { buildFedAvgCnn, describeModel } from "../../src/index.ts";

function node(opType: string, name: string, inputs: string[], outputs: string[], attributes = {}): Node {
  return { opType, name, domain: "", inputs, outputs, attributes: attributesOf(attributes) };
}

function modelOf(nodes: readonly Node[], graph: Partial<Graph> = {}): Model {
  const value = (name: string) => ({ name, elementType: "float32" as const, shape: ["batch", 4] });
  return {
    irVersion: 8,
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "g",
      nodes,
      initializers: [floatTensor("w", [4, 3], new Float32Array(12))],
      inputs: [value("x")],
      outputs: [{ ...value("y"), shape: undefined }],
      valueInfo: [],
      ...graph,
    },
  };
}

function errorOf(run: () => unknown): TributaryError {
  try {
    run();
  } catch (error) {
    if (TributaryError.is(error)) return error;
    throw error;
  }
  throw new Error("no error");
}

describe("graphs that make no sense name the node", () => {
  const relu = node("Relu", "act", ["x"], ["y"]);
  test.each([
    [
      "a cycle",
      [node("Add", "loop", ["x", "b"], ["a"]), node("Relu", "back", ["a"], ["b"]), relu],
      /(?:loop|back)/u,
    ],
    ["a node that reads its own result", [node("Add", "self", ["x", "y"], ["y"])], /Add "self"/u],
    ["a name that nothing makes", [node("Relu", "lost", ["gone"], ["y"])], /Relu "lost" reads "gone"/u],
    ["a name made twice", [relu, node("Tanh", "again", ["x"], ["y"])], /Tanh "again" makes "y"/u],
    ["a result named as an input", [relu, node("Tanh", "over", ["y"], ["x"])], /Tanh "over" makes "x"/u],
    ["no node for an output", [], /output "y"/u],
  ])("%s", (_, nodes, text) => {
    const error = errorOf(() => sortNodes(modelOf(nodes).graph));
    expect(error.code).toBe("onnx/invalid-model");
    expect(error.message).toMatch(text);
    // Describing it gives the reason in place of an error.
    expect(describeModel(encodeModel(modelOf(nodes))).reasons.join(" ")).toMatch(text);
  });

  test("two initializers of one name", () => {
    const w = floatTensor("w", [1], [1]);
    const error = errorOf(() => sortNodes(modelOf([relu], { initializers: [w, w] }).graph));
    expect(error).toMatchObject({ code: "onnx/invalid-model" });
    expect(error.message).toContain('"w"');
  });

  test.each([
    ["MatMul", node("MatMul", "fc", ["x", "x"], ["y"])],
    ["Gemm", node("Gemm", "fc", ["x", "w"], ["y"], { transB: 1 })],
    ["Concat", node("Concat", "fc", ["x", "w"], ["y"], { axis: 5 })],
    ["Transpose", node("Transpose", "fc", ["x"], ["y"], { perm: [0, 0] })],
    ["Add", node("Add", "fc", ["x", "w"], ["y"])],
    ["Einsum", node("Einsum", "fc", ["x", "w"], ["y"], { equation: "abc,cd->ad" })],
    ["LSTM", node("LSTM", "fc", ["x", "w", "w"], ["y"])],
  ])("a %s of shapes that do not fit", (op, bad) => {
    const error = errorOf(() => inferShapes(modelOf([bad]), { x: [7, 4] }));
    expect(error.code).toBe("onnx/shape-mismatch");
    expect(error.message).toContain(`${op} "fc"`);
  });

  test("a broken message names the field path", () => {
    const bytes = writeMessage(ModelSpec, {
      graph: { nodes: [{ opType: "Relu" }, { opType: "Clip", attributes: [{ name: "min" }] }] },
    });
    // The attribute's name becomes a field of a wrong wire type: tag 0x0a turns into 0x08.
    const at = bytes.findLastIndex((byte, i) => byte === 0x0a && bytes[i + 1] === 3);
    const error = errorOf(() => decodeModel(bytes.with(at, 0x08)));
    expect(error.message).toContain("graph.nodes[1].attributes[0]");
    expect(error.detail).toMatchObject({ path: "graph.nodes[1].attributes[0]" });
  });
});

describe("shapes", () => {
  test("symbolic sizes are bound by name", () => {
    const model = decodeModel(buildFedAvgCnn({ seed: 1 }));
    expect(inferShapes(model).get("logits")!.shape).toEqual(["batch", 10]);
    expect(inferShapes(model, {}, { batch: 32 }).get("logits")!.shape).toEqual([32, 10]);
  });

  // The operators that training and quantizing know of.
  const ops = `Add Sub Mul Div Neg Pow Sqrt Exp Log Abs Reciprocal Min Max Erf Sigmoid Tanh Relu LeakyRelu PRelu Elu
    Selu Celu Softplus Softsign HardSigmoid HardSwish Mish Clip Gelu Softmax LogSoftmax MatMul Gemm Einsum Conv
    ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool BatchNormalization
    InstanceNormalization LayerNormalization GroupNormalization RMSNormalization Reshape Flatten Transpose Squeeze
    Unsqueeze Expand Concat Split Slice Pad Tile Gather GatherElements GatherND ScatterND ScatterElements Where Cast
    Identity Dropout ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp
    ReduceSumSquare CumSum Resize DepthToSpace SpaceToDepth Trilu LSTM GRU RNN Attention Shape Constant
    ConstantOfShape Range Equal Not ArgMax OneHot QuantizeLinear DequantizeLinear`;
  test("every operator that can be trained has a rule", () => {
    expect(ops.split(/\s+/u).filter((op) => !Object.hasOwn(SHAPE_RULES, op))).toEqual([]);
  });
});
