import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { createOrtWebEngine } from "@tributary/engine/ort-web";
import type { LoadOptions } from "@tributary/engine";
import { InferenceSession } from "onnxruntime-node";
import { InferenceSession as WebSession } from "onnxruntime-web/wasm";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { nestedConfig } from "../src/session-config.ts";
import { dequantizedOnnx } from "./dequantized-onnx.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-session-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const FOLDED = { "session.disable_quant_qdq": "1" };

/** The graph that onnxruntime runs, as text enough to count operators in. */
async function optimized(options: LoadOptions): Promise<string> {
  const file = join(folder, "optimized.onnx");
  const create = InferenceSession.create.bind(InferenceSession);
  vi.spyOn(InferenceSession, "create").mockImplementation(((model: Uint8Array, settings: object) =>
    create(model, { ...settings, optimizedModelFilePath: file })) as typeof InferenceSession.create);
  const engine = await createOrtNodeEngine();
  await engine.load(dequantizedOnnx(), options);
  await engine.close();
  return readFileSync(file, "latin1");
}

test("int8 weights are folded to float32 at load where the session is told so", async () => {
  // Left alone, integers stay: as they are, or packed for a kernel that reads them at every run.
  expect(await optimized({})).toMatch(/DequantizeLinear|MatMulNBits/);
  vi.restoreAllMocks();
  expect(await optimized({ sessionConfig: FOLDED })).not.toMatch(/DequantizeLinear|MatMulNBits/);
});

test("onnxruntime-web is told the same", async () => {
  const create = vi.spyOn(WebSession, "create");
  const engine = await createOrtWebEngine({ prefer: "wasm" });
  await engine.load(dequantizedOnnx(), { sessionConfig: FOLDED });
  await engine.close();
  expect(create.mock.lastCall![1]).toMatchObject({ extra: { session: { disable_quant_qdq: "1" } } });
});

test("entries are nested by the parts of their names", () => {
  expect(nestedConfig({ "a.b": "1", c: "2" }, { "a.d.e": "3" })).toEqual({
    a: { b: "1", d: { e: "3" } },
    c: "2",
  });
});
