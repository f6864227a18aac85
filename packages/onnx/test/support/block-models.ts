import { seededRandom } from "@tributary/core";
import { attributesOf, type AttributeLiteral } from "../../src/ir/attributes.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import type { Node, TensorValue } from "../../src/ir/model.ts";
import { floatTensor, int64Tensor } from "../../src/ir/tensor-value.ts";

/** Writes small models, one operator after the other, as exporters write them. */
export class ModelWriter {
  readonly #nodes: Node[] = [];
  readonly #initializers: TensorValue[] = [];
  readonly #random = seededRandom("block models");

  op(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeLiteral>> = {},
    outputs: readonly string[] = [`${opType}.${this.#nodes.length}`],
  ): string {
    this.#nodes.push({ name: "", domain: "", opType, inputs, outputs, attributes: attributesOf(attributes) });
    return outputs.find((name) => name !== "")!;
  }

  /** A trainable tensor of normal numbers around `mean`. */
  weight(name: string, shape: readonly number[], mean = 0): string {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const spread = shape.length > 1 ? Math.min(0.3, 1 / Math.sqrt(shape[0]!)) : 0.1;
    const values = Array.from({ length: count }, () => mean + spread * this.#random.normal());
    this.#initializers.push(floatTensor(name, shape, values));
    return name;
  }

  /** A trainable tensor of these numbers. */
  values(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    this.#initializers.push(floatTensor(name, shape, Array.from(values)));
    return name;
  }

  constant(value: number): string {
    const name = `constant.${this.#initializers.length}`;
    this.#initializers.push(floatTensor(name, [], [value]));
    return name;
  }

  truth(): string {
    const name = `truth.${this.#initializers.length}`;
    this.#initializers.push({ name, elementType: "bool", dims: [], data: Uint8Array.of(1) });
    return name;
  }

  ints(values: readonly number[]): string {
    const name = `ints.${this.#initializers.length}`;
    this.#initializers.push(int64Tensor(name, [values.length], values));
    return name;
  }

  finish(input: readonly number[], output: string, opset: number, classes = 3): Uint8Array {
    return encodeModel({
      irVersion: 8,
      producerName: "test",
      producerVersion: "",
      domain: "",
      modelVersion: 0,
      opsetImports: [{ domain: "", version: opset }],
      metadata: [],
      graph: {
        name: "blocks",
        nodes: this.#nodes,
        initializers: this.#initializers,
        inputs: [{ name: "input", elementType: "float32", shape: ["batch", ...input] }],
        outputs: [{ name: output, elementType: "float32", shape: ["batch", classes] }],
        valueInfo: [],
      },
    });
  }
}

const [TOKENS, WIDTH] = [5, 8];

export interface TransformerSizes {
  readonly tokens: number;
  readonly width: number;
  readonly heads: number;
  /** Width of the layer inside the Gelu layer. */
  readonly hidden: number;
  readonly classes: number;
}

const SMALL: TransformerSizes = { tokens: TOKENS, width: WIDTH, heads: 2, hidden: 16, classes: 3 };

/** Pre-norm self-attention and a Gelu layer with residuals, the mean over tokens, a linear head. */
export function buildTransformer({ tokens, width, heads, hidden, classes } = SMALL): Uint8Array {
  const model = new ModelWriter();
  const norm = (x: string, name: string): string =>
    model.op("LayerNormalization", [
      x,
      model.weight(`${name}.weight`, [width], 1),
      model.weight(`${name}.bias`, [width]),
    ]);
  const dense = (x: string, name: string, from: number, to: number): string =>
    model.op("Add", [
      model.op("MatMul", [x, model.weight(`${name}.weight`, [from, to])]),
      model.weight(`${name}.bias`, [to]),
    ]);
  const normed = norm("input", "norm1");
  const apart = (x: string): string => {
    const split = model.op("Reshape", [x, model.ints([0, tokens, heads, width / heads])]);
    return model.op("Transpose", [split], { perm: [0, 2, 1, 3] });
  };
  const q = apart(dense(normed, "query", width, width));
  // A bias of the keys would move all scores of a row alike: its gradient is zero.
  const k = apart(model.op("MatMul", [normed, model.weight("key.weight", [width, width])]));
  const v = apart(dense(normed, "value", width, width));
  const products = model.op("MatMul", [q, model.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
  const scores = model.op("Mul", [products, model.constant(1 / Math.sqrt(width / heads))]);
  const mixed = model.op("MatMul", [model.op("Softmax", [scores], { axis: -1 }), v]);
  const joined = model.op("Reshape", [
    model.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    model.ints([0, tokens, width]),
  ]);
  const attended = model.op("Add", ["input", dense(joined, "project", width, width)]);
  const wide = model.op("Gelu", [dense(norm(attended, "norm2"), "up", width, hidden)]);
  const block = model.op("Add", [attended, dense(wide, "down", hidden, width)]);
  const pooled = model.op("ReduceMean", [block, model.ints([1])], { keepdims: 0 });
  return model.finish([tokens, width], dense(pooled, "head", width, classes), 20, classes);
}

/** An LSTM over the sequence as PyTorch exports it, and a linear head on its last state. */
export function buildLstm(): Uint8Array {
  const model = new ModelWriter();
  const hidden = 4;
  const sequence = model.op("Transpose", ["input"], { perm: [1, 0, 2] });
  const weights = [
    model.weight("lstm.w", [1, 4 * hidden, WIDTH]),
    model.weight("lstm.r", [1, 4 * hidden, hidden]),
    model.weight("lstm.b", [1, 8 * hidden]),
  ];
  const last = model.op("LSTM", [sequence, ...weights], { hidden_size: hidden }, ["", "last"]);
  const state = model.op("Squeeze", [last, model.ints([0])]);
  const head = [model.weight("head.weight", [3, hidden]), model.weight("head.bias", [3])];
  return model.finish([TOKENS, WIDTH], model.op("Gemm", [state, ...head], { transB: 1 }), 17);
}

/** Convolution, group norm, a residual and strides, as in a ResNet. */
export function buildResidual(): Uint8Array {
  const model = new ModelWriter();
  const conv = (x: string, name: string, from: number, stride = 1): string =>
    model.op("Conv", [x, model.weight(name, [4, from, 3, 3])], {
      pads: [1, 1, 1, 1],
      strides: [stride, stride],
    });
  const norm = (x: string, name: string): string =>
    model.op(
      "GroupNormalization",
      [x, model.weight(`${name}.weight`, [4], 1), model.weight(`${name}.bias`, [4])],
      { num_groups: 2 },
    );
  const start = model.op("Elu", [norm(conv("input", "conv1", 2), "norm1")]);
  const inner = norm(conv(start, "conv2", 4), "norm2");
  const sum = model.op("HardSwish", [model.op("Add", [start, inner])]);
  const down = model.op("Clip", [conv(sum, "conv3", 4, 2)]);
  const pooled = model.op("Flatten", [model.op("GlobalAveragePool", [down])]);
  const head = [model.weight("head.weight", [3, 4]), model.weight("head.bias", [3])];
  return model.finish([2, 6, 6], model.op("Gemm", [pooled, ...head], { transB: 1 }), 21);
}

/** A ResNet's first block of a stage: strided 3x3 and 3x3 convolutions beside a strided 1x1, each with batch norm. */
export function buildResNetBlock(): Uint8Array {
  const model = new ModelWriter();
  const conv = (x: string, name: string, from: number, kernel: number, stride: number): string => {
    const weight = model.weight(`${name}.weight`, [6, from, kernel, kernel]);
    const pad = (kernel - 1) / 2;
    const convolved = model.op("Conv", [x, weight], {
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
    const [scale, variance] = [
      model.weight(`${name}.scale`, [6], 1),
      model.weight(`${name}.variance`, [6], 1),
    ];
    const [bias, mean] = [model.weight(`${name}.bias`, [6]), model.weight(`${name}.mean`, [6])];
    return model.op("BatchNormalization", [convolved, scale, bias, mean, variance]);
  };
  const inner = conv(model.op("Relu", [conv("input", "conv1", 3, 3, 2)]), "conv2", 6, 3, 1);
  const sum = model.op("Add", [inner, conv("input", "shortcut", 3, 1, 2)]);
  const pooled = model.op("Flatten", [model.op("GlobalAveragePool", [model.op("Relu", [sum])])]);
  const head = [model.weight("head.weight", [3, 6]), model.weight("head.bias", [3])];
  return model.finish([3, 8, 8], model.op("Gemm", [pooled, ...head], { transB: 1 }), 17);
}
