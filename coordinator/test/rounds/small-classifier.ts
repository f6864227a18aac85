import { seededRandom } from "@tributary/core";
import { encodeModel, type Attribute, type Node, type TensorValue } from "@tributary/onnx";

/**
 * Five numbers in, three classes out: Gemm, BatchNormalization, Tanh, Dropout, MatMul.
 *
 * @param options.training exported in training mode: normalizes by the batch and drops half
 */
export function smallClassifier(options: { readonly training?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const random = seededRandom("small classifier");
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
  const statistics = ["norm.mean", "norm.variance"];
  const { training = false } = options;
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "small",
      nodes: [
        node("Gemm", ["x", "body.weight", "body.bias"], ["h"]),
        training
          ? node(
              "BatchNormalization",
              ["h", "norm.scale", "norm.shift", ...statistics],
              ["n", "norm.mean.new", "norm.variance.new"],
              { training_mode: { type: "int", value: 1n } },
            )
          : node("BatchNormalization", ["h", "norm.scale", "norm.shift", ...statistics], ["n"]),
        node("Tanh", ["n"], ["t"]),
        node("Dropout", training ? ["t", "ratio", "on"] : ["t"], ["d"]),
        node("MatMul", ["d", "head.weight"], ["y"]),
      ],
      initializers: [
        tensor("body.weight", [5, 4], () => random.normal()),
        tensor("body.bias", [4], () => random.normal()),
        tensor("norm.scale", [4], () => 1),
        tensor("norm.shift", [4], () => 0),
        tensor("norm.mean", [4], () => 0.5),
        tensor("norm.variance", [4], () => 2),
        tensor("head.weight", [4, 3], () => random.normal()),
        ...(training
          ? [
              tensor("ratio", [], () => 0.5),
              { name: "on", elementType: "bool" as const, dims: [], data: Uint8Array.of(1) },
            ]
          : []),
      ],
      inputs: [{ name: "x", elementType: "float32", shape: ["batch", 5] }],
      outputs: [{ name: "y", elementType: "float32", shape: ["batch", 3] }],
      valueInfo: [],
    },
  });
}
