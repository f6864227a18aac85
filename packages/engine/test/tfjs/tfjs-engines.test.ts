import { expect, test } from "vitest";
import { describeEngine } from "../../src/testing/index.ts";
import { createTfjsEngine, tfjsTensors } from "../../src/tfjs/index.ts";
import { tensor } from "@tributary/tensor";
import { SUITE_MODELS } from "./suite-models.ts";
import { WASM_PATHS } from "./wasm-paths.ts";

describeEngine("tfjs-cpu", { open: () => createTfjsEngine(), models: SUITE_MODELS });
describeEngine("tfjs-wasm", {
  open: () => createTfjsEngine({ backend: "wasm", wasmPaths: WASM_PATHS }),
  models: SUITE_MODELS,
});

test("runs leave no tensor behind, nor does a session that was disposed", async () => {
  const engine = await createTfjsEngine();
  const before = tfjsTensors();
  const session = await engine.load(SUITE_MODELS.increment);
  const loaded = tfjsTensors();
  const x = tensor("float32", [1, 2], Float32Array.of(1, 2));
  for (let i = 0; i < 100; i++) await session.run({ x });
  await expect(session.run({})).rejects.toMatchObject({ code: "engine/missing-input" });
  expect(tfjsTensors()).toBe(loaded);
  await session[Symbol.asyncDispose]();
  expect(tfjsTensors()).toBe(before);
  await engine.close();
});

test("a backend that cannot run here says so, and what it needs", async () => {
  await expect(createTfjsEngine({ backend: "webgpu" })).rejects.toMatchObject({ code: "engine/unavailable" });
  await expect(createTfjsEngine({ backend: "wasm" })).rejects.toThrow("wasmPaths");
});
