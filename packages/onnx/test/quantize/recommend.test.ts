import { expect, test } from "vitest";
import { recommend } from "../../src/quantize/recommend.ts";

const CNN = { ops: { Conv: 3, Gemm: 1 } };
const TRANSFORMER = { ops: { MatMul: 24, Conv: 1 } };

test.each([
  [CNN, "ort-wasm", "int8-static", /0\.68/],
  [CNN, "ort-node", "int8-static", /0\.44/],
  [CNN, "ort-webgpu", "float16", /leave the GPU/],
  [TRANSFORMER, "ort-webgpu", "int4-weights", /MatMulNBits/],
  [{ ops: { Gemm: 3 } }, "ort-wasm", "int8-weights", /folded at load/],
  [{ ops: { Gemm: 3 } }, "ort-node", "int8-dynamic", /dense layers/],
  [{ ops: { TreeEnsembleClassifier: 1 } }, "ort-wasm", "float16", /no Conv/],
] as const)("%j on %s: %s", (model, engine, scheme, reason) => {
  const recommendation = recommend(model, engine);
  expect(recommendation.scheme).toBe(scheme);
  expect(recommendation.reason).toMatch(reason);
});
