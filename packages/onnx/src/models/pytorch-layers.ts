import type { SeededRandom } from "@tributary/core";
import { seededRandom } from "@tributary/core";
import { attributesOf } from "../ir/attributes.ts";
import { encodeModel } from "../ir/encode.ts";
import type { Node, TensorValue } from "../ir/model.ts";
import { floatTensor } from "../ir/tensor-value.ts";

/** A layer of a PyTorch module, under the name it has there. */
export type Layer =
  | { readonly type: "linear"; readonly name: string; readonly inputs: number; readonly outputs: number }
  | {
      readonly type: "conv";
      readonly name: string;
      readonly inputs: number;
      readonly outputs: number;
      readonly kernel: number;
      readonly padding: number;
    }
  | { readonly type: "max-pool"; readonly name: string; readonly kernel: number }
  | { readonly type: "relu" | "flatten"; readonly name: string };

export interface ModelOptions {
  /** Initial weights depend on nothing else. */
  readonly seed: string | number;
}

/**
 * A sequential classifier of 28x28 grey images as `torch.onnx.export` writes one: input "image"
 * [batch,1,28,28], output "logits" [batch,10]. Weights are Kaiming-uniform (gain √2, 1 in the last layer,
 * which no ReLU follows), biases 0.
 */
export function sequentialModel(
  graphName: string,
  layers: readonly Layer[],
  { seed }: ModelOptions,
): Uint8Array<ArrayBuffer> {
  const random = seededRandom(seed);
  const initializers: TensorValue[] = [];
  const nodes: Node[] = [];
  let value = "image";
  for (const [i, layer] of layers.entries()) {
    const last = i === layers.length - 1;
    const weights: WeightSink = { random, initializers, gain: last ? 1 : Math.SQRT2 };
    const { opType, inputs, attributes } = describeLayer(layer, weights);
    const output = last ? "logits" : `/${layer.name}/${opType}_output_0`;
    nodes.push({
      name: `/${layer.name}/${opType}`,
      opType,
      domain: "",
      inputs: [value, ...inputs],
      outputs: [output],
      attributes: attributesOf(attributes),
    });
    value = output;
  }
  return encodeModel({
    irVersion: 8,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: graphName,
      nodes,
      initializers,
      inputs: [{ name: "image", elementType: "float32", shape: ["batch", 1, 28, 28] }],
      outputs: [{ name: "logits", elementType: "float32", shape: ["batch", 10] }],
      valueInfo: [],
    },
  });
}

interface LayerForm {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly attributes: Parameters<typeof attributesOf>[0];
}

interface WeightSink {
  readonly random: SeededRandom;
  readonly initializers: TensorValue[];
  readonly gain: number;
}

function describeLayer(layer: Layer, weights: WeightSink): LayerForm {
  switch (layer.type) {
    case "linear": {
      const { name, inputs, outputs } = layer;
      return {
        opType: "Gemm",
        inputs: addWeights(name, [outputs, inputs], weights),
        attributes: { alpha: { float: 1 }, beta: { float: 1 }, transB: 1 },
      };
    }
    case "conv": {
      const { name, inputs, outputs, kernel, padding } = layer;
      return {
        opType: "Conv",
        inputs: addWeights(name, [outputs, inputs, kernel, kernel], weights),
        attributes: {
          dilations: [1, 1],
          group: 1,
          kernel_shape: [kernel, kernel],
          pads: [padding, padding, padding, padding],
          strides: [1, 1],
        },
      };
    }
    case "max-pool": {
      const { kernel } = layer;
      return {
        opType: "MaxPool",
        inputs: [],
        attributes: {
          ceil_mode: 0,
          dilations: [1, 1],
          kernel_shape: [kernel, kernel],
          pads: [0, 0, 0, 0],
          strides: [kernel, kernel],
        },
      };
    }
    case "relu":
      return { opType: "Relu", inputs: [], attributes: {} };
    case "flatten":
      return { opType: "Flatten", inputs: [], attributes: { axis: 1 } };
  }
}

/** He et al. 2015, section 2.2, uniform form: U(-b, b) with b = gain·√(3 / fan-in). */
function addWeights(
  name: string,
  shape: readonly number[],
  { random, initializers, gain }: WeightSink,
): string[] {
  const [outputs, ...rest] = shape as [number, ...number[]];
  const fanIn = rest.reduce((product, size) => product * size, 1);
  const bound = gain * Math.sqrt(3 / fanIn);
  const stream = random.fork(name);
  const weights = new Float32Array(outputs * fanIn).map(() => (2 * stream.next() - 1) * bound);
  initializers.push(floatTensor(`${name}.weight`, shape, weights));
  initializers.push(floatTensor(`${name}.bias`, [outputs], new Float32Array(outputs)));
  return [`${name}.weight`, `${name}.bias`];
}
