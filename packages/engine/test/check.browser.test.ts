import { seededRandom, systemClock } from "@tributary/core";
import { tensor, type Tensor } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chooseEngine } from "../src/check.ts";
import { openOrtWeb, type OrtWeb } from "../src/ort-web.ts";
import { tinyOnnx } from "../src/testing/tiny-onnx.ts";

let web: OrtWeb;
beforeAll(async () => {
  web = await openOrtWeb({ softwareAdapter: "use" });
});
afterAll(() => web.close());

/** Y = Conv 5x5 (X [1, channels, 8, 8], 16 kernels), with seeded values. */
function conv(channels: number): { model: Uint8Array; feeds: Record<string, Tensor> } {
  const random = seededRandom(`conv ${channels}`);
  const values = (...shape: number[]): Tensor => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    return tensor(
      "float32",
      shape,
      data.map(() => random.normal()),
    );
  };
  const model = tinyOnnx({
    nodes: [{ op: "Conv", inputs: ["x", "kernels"], outputs: ["y"] }],
    inputs: { x: ["float32", [1, channels, 8, 8]] },
    outputs: { y: ["float32", [1, 16, 4, 4]] },
    initializers: { kernels: values(16, channels, 5, 5) },
  });
  return { model, feeds: { x: values(1, channels, 8, 8) } };
}

const choose = (channels: number) =>
  chooseEngine({
    reference: web.wasm,
    candidate: web.webgpu,
    ...conv(channels),
    clock: systemClock,
    runs: 3,
  });

test("a convolution that onnxruntime computes right on WebGPU passes the check", async () => {
  const { choice, session } = await choose(4);
  expect(choice.reason).toBe("faster");
  expect(choice.relativeError).toBeLessThan(1e-5);
  await session[Symbol.asyncDispose]();
});

test("six input channels, which onnxruntime 1.30 miscomputes on WebGPU (microsoft/onnxruntime#29651), are caught", async () => {
  const { choice, session } = await choose(6);
  expect(choice).toMatchObject({ engine: "ort-wasm", reason: "disagrees" });
  expect(choice.relativeError).toBeGreaterThan(0.1);
  expect(session.engine).toBe("ort-wasm");
  await session[Symbol.asyncDispose]();
});
