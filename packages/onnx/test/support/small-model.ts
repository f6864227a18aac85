import { seededRandom } from "@tributary/core";
import { encodeModel, type Node } from "../../src/index.ts";
import { attributesOf, type AttributeLiteral } from "../../src/ir/attributes.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";

export function nodeOf(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeLiteral>> = {},
): Node {
  return { name: "", domain: "", opType, inputs, outputs, attributes: attributesOf(attributes) };
}

/** A model of version 17 of the operators with one input "x", whose initializers are random. */
export function modelOf(options: {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly nodes: readonly Node[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
}): Uint8Array<ArrayBuffer> {
  const random = seededRandom("small model");
  const last = options.nodes.at(-1)!.outputs[0]!;
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
      nodes: options.nodes,
      initializers: Object.entries(options.weights).map(([name, shape]) => {
        const length = shape.reduce((product, size) => product * size, 1);
        return floatTensor(
          name,
          shape,
          Array.from({ length }, () => random.normal() / 2),
        );
      }),
      inputs: [{ name: "x", elementType: "float32", shape: ["batch", ...options.input] }],
      outputs: [{ name: last, elementType: "float32", shape: ["batch", ...options.output] }],
      valueInfo: [],
    },
  });
}

/** y = x·Wᵀ + b, with a head on top where one is named. */
export function affineModel(inputs: number, outputs: number, head?: string): Uint8Array<ArrayBuffer> {
  const gemm = nodeOf("Gemm", ["x", "weight", "bias"], ["y"], { transB: 1 });
  return modelOf({
    input: [inputs],
    output: [outputs],
    nodes: head === undefined ? [gemm] : [gemm, nodeOf(head, ["y"], ["head"])],
    weights: { weight: [outputs, inputs], bias: [outputs] },
  });
}

/** Standard normal numbers. */
export function rows(batch: number, size: number, seed: string): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: batch * size }, () => random.normal());
}
