import { build2nn, buildFedAvgCnn } from "@tributary/onnx";
import { buildTransformer } from "../../../packages/onnx/test/support/block-models.ts";
import type { MatrixLayout } from "../../../packages/onnx/test/support/tfjs.ts";
import {
  tfjs2nn,
  tfjsFedAvgCnn,
  tfjsTransformer,
  type TfjsModel,
} from "../../../packages/onnx/test/support/tfjs-models.ts";

/** A model, as ONNX and in TensorFlow.js operators. */
export interface BenchModel {
  readonly name: "mlp" | "cnn" | "transformer";
  readonly build: () => Uint8Array;
  readonly tfjs: { readonly model: TfjsModel; readonly layout: MatrixLayout };
  readonly classes: number;
  /** How many products of two numbers one example costs, forward. */
  readonly products: number;
  /** How many of them read the examples themselves, of which no gradient is wanted. */
  readonly productsOfInput: number;
}

const MLP_FIRST = 784 * 200;
const CNN_FIRST = 28 * 28 * 25 * 32;
const BLOCK = { tokens: 32, width: 64, heads: 4, hidden: 256, classes: 10 };

/** The 2NN and the CNN of McMahan et al. 2017, and one pre-norm transformer block over 32 tokens of 64 numbers. */
export const MODELS: readonly BenchModel[] = [
  {
    name: "mlp",
    build: () => build2nn({ seed: "bench" }),
    tfjs: { model: tfjs2nn, layout: "out-in" },
    classes: 10,
    products: MLP_FIRST + 200 * 200 + 200 * 10,
    productsOfInput: MLP_FIRST,
  },
  {
    name: "cnn",
    build: () => buildFedAvgCnn({ seed: "bench" }),
    tfjs: { model: tfjsFedAvgCnn, layout: "out-in" },
    classes: 10,
    products: CNN_FIRST + 14 * 14 * 25 * 32 * 64 + 3136 * 512 + 512 * 10,
    productsOfInput: CNN_FIRST,
  },
  {
    name: "transformer",
    build: () => buildTransformer(BLOCK),
    tfjs: { model: tfjsTransformer(BLOCK.heads), layout: "in-out" },
    classes: BLOCK.classes,
    products: transformerProducts(BLOCK),
    productsOfInput: 0,
  },
];

/** Four projections, scores and mixture of all heads, two dense layers, the head. */
function transformerProducts({ tokens, width, hidden, classes }: typeof BLOCK): number {
  return tokens * (4 * width ** 2 + 2 * tokens * width + 2 * width * hidden) + width * classes;
}

/**
 * Floating point operations of one step: two for each product, forward, for the gradient of the weights, and for the
 * gradient of what is not an example.
 */
export function stepFlops({ products, productsOfInput }: BenchModel, batchSize: number): number {
  return 2 * batchSize * (3 * products - productsOfInput);
}
