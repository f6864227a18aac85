import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { tensor, type Tensor } from "@tributary/tensor";

export interface Digits {
  readonly count: number;
  readonly labels: Uint8Array;
  /** Pixels of one digit, 0 to 1. */
  image(i: number): Float32Array;
  /** One feed for each digit from `from` to before `to`. */
  feeds(input: string, shape: readonly number[], from: number, to: number): Record<string, Tensor>[];
}

/** MNIST as IDX files: "train" or "t10k". */
export function readMnist(folder: string, part: "train" | "t10k"): Digits {
  const read = (kind: string): Uint8Array =>
    gunzipSync(readFileSync(join(folder, `${part}-${kind}-ubyte.gz`)));
  const pixels = read("images-idx3").subarray(16);
  const labels = read("labels-idx1").subarray(8);
  const image = (i: number): Float32Array =>
    Float32Array.from(pixels.subarray(i * 784, (i + 1) * 784), (pixel) => pixel / 255);
  return {
    count: labels.length,
    labels,
    image,
    feeds: (input, shape, from, to) =>
      Array.from({ length: to - from }, (_, i) => ({ [input]: tensor("float32", shape, image(from + i)) })),
  };
}
