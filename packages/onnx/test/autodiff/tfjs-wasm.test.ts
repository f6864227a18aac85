import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "@tributary/core";
import { expect, test } from "vitest";
import { useTfjs } from "../support/tfjs-backend.ts";

const CASES = [
  { size: [6, 6], kernel: 3, stride: 1, pad: "same" },
  { size: [7, 6], kernel: 3, stride: 2, pad: "valid" },
  { size: [8, 8], kernel: 5, stride: 2, pad: "same" },
  { size: [6, 7], kernel: 5, stride: 1, pad: 2 },
] as const;

/** Gradient of sum(conv(x, w)·d) with respect to w. */
async function kernelGradient(backend: "cpu" | "wasm", one: (typeof CASES)[number]): Promise<Float32Array> {
  await useTfjs(backend);
  const random = seededRandom("kernel gradient");
  const normal = (shape: [number, number, number, number]): tf.Tensor4D => {
    const length = shape.reduce((product, dim) => product * dim, 1);
    return tf.tensor4d(
      Float32Array.from({ length }, () => random.normal()),
      shape,
    );
  };
  const x = normal([2, ...one.size, 3]);
  const w = normal([one.kernel, one.kernel, 3, 4]);
  const convolve = (kernel: tf.Tensor4D): tf.Tensor4D => tf.conv2d(x, kernel, one.stride, one.pad);
  const d = normal(convolve(w).shape);
  const gradient = tf.grad((kernel: tf.Tensor) => tf.sum(tf.mul(convolve(kernel as tf.Tensor4D), d)))(w);
  return await gradient.data<"float32">();
}

test.each(CASES)("the benchmark's rival computes kernel gradients right: %o", async (one) => {
  const expected = await kernelGradient("cpu", one);
  const actual = await kernelGradient("wasm", one);
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
});
