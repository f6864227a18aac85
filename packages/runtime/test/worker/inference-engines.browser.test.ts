import { systemClock } from "@tributary/core";
import { encodeModel } from "@tributary/onnx";
import { tensor } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EngineProvider, OpenInferenceRequest } from "../../src/engine-provider.ts";
import { createBrowserEngines } from "../../src/worker/browser-engines.ts";

const port = { elementType: "float32" as const, shape: ["batch", 2] };
/** y = 2x: the GPU compiles it in no time. */
const model = encodeModel({
  irVersion: 8,
  producerName: "test",
  producerVersion: "",
  domain: "",
  modelVersion: 0,
  opsetImports: [{ domain: "", version: 17 }],
  metadata: [],
  graph: {
    name: "double",
    nodes: [
      { name: "add", domain: "", opType: "Add", inputs: ["x", "x"], outputs: ["y"], attributes: new Map() },
    ],
    initializers: [],
    inputs: [{ name: "x", ...port }],
    outputs: [{ name: "y", ...port }],
    valueInfo: [],
  },
});
const feeds = { x: tensor("float32", [1, 2], Float32Array.of(1, 2)) };
const doubled = Float32Array.of(2, 4);

let engines: EngineProvider;
let remembered: Record<string, unknown> | undefined;
beforeEach(() => {
  remembered = undefined;
  engines = createBrowserEngines({ softwareAdapter: "use", clock: systemClock });
});
afterEach(() => engines.close());

const open = (more: Partial<OpenInferenceRequest> = {}) =>
  engines.openInference({
    key: crypto.randomUUID(),
    format: "onnx",
    model: () => model,
    sample: () => feeds,
    remember: async (choice) => void (remembered = choice as Record<string, unknown>),
    ...more,
  });

test("a choice holds for the browser, driver and engine it was made with, and is made anew on others", async () => {
  const first = await open();
  expect(first.check).toMatchObject({
    remembered: false,
    choice: { reason: "faster", candidate: "ort-webgpu" },
  });
  const choice = remembered!;
  expect(choice["fingerprint"]).toBe(engines.diagnose().fingerprint);
  expect(choice["fingerprint"]).toMatch(/software.*onnxruntime-web\/\w+ \d+\.\d+\.\d+; 1 threads$/);
  remembered = undefined;
  const again = await open({ remembered: choice });
  expect([again.check?.remembered, remembered]).toEqual([true, undefined]);
  const other = await open({ remembered: { ...choice, fingerprint: "another browser" } });
  expect([other.check?.remembered, remembered!["fingerprint"]]).toEqual([false, choice["fingerprint"]]);
});

test("a form that is opened for an engine is not checked against another, and survives its GPU too", async () => {
  const onWasm = await open({ on: "ort-wasm" });
  expect([onWasm.engine, onWasm.check]).toEqual(["ort-wasm", undefined]);
  let moved = 0;
  const onGpu = await open({ on: "ort-webgpu", onMoved: () => (moved += 1) });
  expect([onGpu.engine, onGpu.check, remembered]).toEqual(["ort-webgpu", undefined, undefined]);
  const ort = await import("onnxruntime-web/jspi");
  ((await ort.env.webgpu.device) as unknown as { destroy(): void }).destroy();
  expect((await onGpu.session.run(feeds))["y"]!.data).toEqual(doubled);
  expect([onGpu.engine, moved]).toEqual(["ort-webgpu", 1]);
});

test("a lost GPU is survived: the run is made again where the model runs fastest now", async () => {
  const probe = await open();
  const choice = { ...remembered, engine: "ort-webgpu" };
  await probe.release();
  let moved = 0;
  const lease = await open({ remembered: choice, onMoved: () => (moved += 1) });
  expect(lease.engine).toBe("ort-webgpu");
  expect((await lease.session.run(feeds))["y"]!.data).toEqual(doubled);
  const ort = await import("onnxruntime-web/jspi");
  const device = (await ort.env.webgpu.device) as unknown as { destroy(): void };
  device.destroy();
  const answers = await Promise.all([lease.session.run(feeds), lease.session.run(feeds)]);
  for (const { y } of answers) expect(y!.data).toEqual(doubled);
  // Checked anew: of the two, the software GPU is the slower one.
  expect([lease.engine, moved, engines.diagnose().gpuLosses]).toEqual(["ort-wasm", 1, 1]);
  expect(lease.check?.choice).toMatchObject({ reason: "faster", candidate: "ort-webgpu" });
});
