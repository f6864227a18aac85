import { buildDigitsCnn } from "@tributary/onnx";
import { buildTransformer } from "../../../packages/onnx/test/support/block-models.ts";
import type { ModelInfo } from "./contestant.ts";
import { buildMobileNet, IMAGE_SIZE } from "./mobilenet.ts";

export interface BenchModel extends ModelInfo {
  readonly build: () => Uint8Array;
}

const BLOCK = { tokens: 32, width: 64, heads: 4, hidden: 256, classes: 10 };

/** The demo's network for digits, one pre-norm transformer block over 32 tokens of 64 numbers, and a MobileNet. */
export const MODELS: readonly BenchModel[] = [
  { name: "cnn", input: "image", shape: [1, 28, 28], build: () => buildDigitsCnn({ seed: "bench" }) },
  {
    name: "transformer",
    input: "input",
    shape: [BLOCK.tokens, BLOCK.width],
    build: () => buildTransformer(BLOCK),
  },
  { name: "mobilenet", input: "image", shape: [3, IMAGE_SIZE, IMAGE_SIZE], build: buildMobileNet },
];
