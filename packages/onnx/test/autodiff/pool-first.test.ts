import { expect, test } from "vitest";
import { buildTrainingGraph, decodeModel } from "../../src/index.ts";
import { modelOf, nodeOf } from "../support/small-model.ts";

const pool = (from: string, to: string) =>
  nodeOf("MaxPool", [from], [to], { kernel_shape: [2, 2], strides: [2, 2] });

/** The operator before the Relu of a model made trainable. */
function beforeRelu(extra: ReturnType<typeof nodeOf>[], last: string): string {
  const model = modelOf({
    input: [2, 8, 8],
    output: [3],
    nodes: [
      nodeOf("Conv", ["x", "w"], ["c"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      nodeOf("Relu", ["c"], ["r"]),
      pool("r", "p"),
      ...extra,
      nodeOf("Flatten", [last], ["f"]),
      nodeOf("MatMul", ["f", "head"], ["y"]),
    ],
    weights: { w: [4, 2, 3, 3], head: [64, 3] },
  });
  const graph = buildTrainingGraph(model, {
    batchSize: 2,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
  const { nodes } = decodeModel(graph.model).graph;
  const relu = nodes.find(({ opType }) => opType === "Relu")!;
  return nodes.find(({ outputs }) => outputs.includes(relu.inputs[0]!))!.opType;
}

test("a Relu that only a pool reads works on what the pool leaves", () => {
  expect(beforeRelu([], "p")).toBe("MaxPool");
});

test("a Relu that something else reads stays where it is", () => {
  const other = nodeOf("AveragePool", ["r"], ["a"], { kernel_shape: [2, 2], strides: [2, 2] });
  expect(beforeRelu([other, nodeOf("Add", ["p", "a"], ["sum"])], "sum")).toBe("Conv");
});
