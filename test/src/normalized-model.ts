import { seededRandom } from "@tributary/core";
import { encodeModel, type Attribute, type Node, type TensorValue } from "@tributary/onnx";

/** Three classes of four numbers. */
export const [NORMALIZED_INPUTS, NORMALIZED_CLASSES] = [4, 3];
const WIDTH = 8;

/** Two layers with a BatchNormalization and a Dropout between them, both exported in training mode. */
export function normalizedModel(): Uint8Array<ArrayBuffer> {
  const random = seededRandom("normalized model");
  const tensor = (name: string, dims: number[], value: () => number): TensorValue => {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, value);
    return { name, elementType: "float32", dims, data: new Uint8Array(values.buffer) };
  };
  const node = (
    opType: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute> = {},
  ): Node => ({
    name: outputs[0]!,
    domain: "",
    opType,
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  });
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "normalized",
      nodes: [
        node("MatMul", ["x", "body.weight"], ["h"]),
        node(
          "BatchNormalization",
          ["h", "norm.weight", "norm.bias", "norm.mean", "norm.var"],
          ["n", "norm.mean.new", "norm.var.new"],
          { training_mode: { type: "int", value: 1n }, momentum: { type: "float", value: 0.7 } },
        ),
        node("Relu", ["n"], ["r"]),
        node("Dropout", ["r", "dropout.ratio", "dropout.training"], ["d"]),
        node("Gemm", ["d", "head.weight", "head.bias"], ["y"]),
      ],
      initializers: [
        tensor("body.weight", [NORMALIZED_INPUTS, WIDTH], () => random.normal() / 2),
        tensor("norm.weight", [WIDTH], () => 1),
        tensor("norm.bias", [WIDTH], () => 0),
        tensor("norm.mean", [WIDTH], () => 0),
        tensor("norm.var", [WIDTH], () => 1),
        tensor("head.weight", [WIDTH, NORMALIZED_CLASSES], () => random.normal() / 2),
        tensor("head.bias", [NORMALIZED_CLASSES], () => 0),
        tensor("dropout.ratio", [], () => 0.2),
        { name: "dropout.training", elementType: "bool", dims: [], data: Uint8Array.of(1) },
      ],
      inputs: [{ name: "x", elementType: "float32", shape: ["batch", NORMALIZED_INPUTS] }],
      outputs: [{ name: "y", elementType: "float32", shape: ["batch", NORMALIZED_CLASSES] }],
      valueInfo: [],
    },
  });
}
