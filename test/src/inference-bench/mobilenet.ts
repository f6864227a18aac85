import { seededRandom } from "@tributary/core";
import { encodeModel, type Attribute, type Node, type TensorValue } from "@tributary/onnx";

/** Width multiplier 0.75 at 128x128: some 100 million products an image. */
const WIDTH = 0.75;
export const IMAGE_SIZE = 128;
const CLASSES = 1000;

/** Channels and stride of each block: MobileNets, Howard et al. 2017, table 1. */
const BLOCKS: readonly (readonly [channels: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
];

/** MobileNetV1 with seeded weights, batch normalizations folded into the convolutions, as exporters write it. */
export function buildMobileNet(): Uint8Array<ArrayBuffer> {
  const random = seededRandom("mobilenet");
  const nodes: Node[] = [];
  const initializers: TensorValue[] = [];
  const weight = (name: string, dims: readonly number[], fanIn: number): string => {
    const values = Float32Array.from(
      { length: dims.reduce((product, size) => product * size, 1) },
      () => random.normal() * Math.sqrt(2 / fanIn),
    );
    initializers.push({ name, elementType: "float32", dims: [...dims], data: new Uint8Array(values.buffer) });
    return name;
  };
  const add = (
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): string => {
    const output = `${opType}.${nodes.length}`;
    nodes.push({
      name: output,
      domain: "",
      opType,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  };
  const ints = (...values: readonly number[]): Attribute => ({ type: "ints", value: values.map(BigInt) });
  const convolution = (
    x: string,
    inputs: number,
    outputs: number,
    kernel: number,
    stride: number,
    group = 1,
  ) => {
    const name = `conv${nodes.length}`;
    const fanIn = (inputs / group) * kernel * kernel;
    const pad = (kernel - 1) / 2;
    const y = add(
      "Conv",
      [
        x,
        weight(`${name}.weight`, [outputs, inputs / group, kernel, kernel], fanIn),
        weight(`${name}.bias`, [outputs], 1000),
      ],
      {
        group: { type: "int", value: BigInt(group) },
        kernel_shape: ints(kernel, kernel),
        pads: ints(pad, pad, pad, pad),
        strides: ints(stride, stride),
      },
    );
    return add("Relu", [y]);
  };
  const wide = (channels: number): number => Math.round(channels * WIDTH);
  let channels = wide(32);
  let x = convolution("image", 3, channels, 3, 2);
  for (const [outputs, stride] of BLOCKS) {
    x = convolution(x, channels, channels, 3, stride, channels);
    x = convolution(x, channels, wide(outputs), 1, 1);
    channels = wide(outputs);
  }
  const pooled = add("Flatten", [add("GlobalAveragePool", [x])]);
  nodes.push({
    name: "head",
    domain: "",
    opType: "Gemm",
    inputs: [
      pooled,
      weight("head.weight", [channels, CLASSES], channels),
      weight("head.bias", [CLASSES], 1000),
    ],
    outputs: ["logits"],
    attributes: new Map(),
  });
  return encodeModel({
    irVersion: 8,
    producerName: "tributary",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "mobilenet",
      nodes,
      initializers,
      inputs: [{ name: "image", elementType: "float32", shape: ["batch", 3, IMAGE_SIZE, IMAGE_SIZE] }],
      outputs: [{ name: "logits", elementType: "float32", shape: ["batch", CLASSES] }],
      valueInfo: [],
    },
  });
}
