import { seededRandom } from "@tributary/core";
import { openOrtWeb } from "@tributary/engine/ort-web";
import { buildLinear, chosenRanges, gatherHistograms, quantilesOf, quantize } from "@tributary/onnx";
import { tensor } from "@tributary/tensor";
import { deleteDB } from "idb";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { TriedVariant } from "../../src/diagnosis.ts";
import type { WorkerStart } from "../../src/worker/device-host.ts";
import { startPageRuntime, type PageRuntime } from "../fixtures/page-runtime.ts";
import type { ReleasedModel } from "./release-worker.ts";

interface Gpu {
  requestAdapter(): Promise<{ readonly features: ReadonlySet<string> } | null>;
}

const adapter = await (navigator as unknown as { gpu?: Gpu }).gpu?.requestAdapter();
const halfFloats = adapter?.features.has("shader-f16") === true;

const onnx = buildLinear({ seed: "forms" });
const random = seededRandom("forms");
const picture = (): Float32Array<ArrayBuffer> => Float32Array.from({ length: 784 }, () => random.next());
const image = picture();
let released: ReleasedModel;
beforeAll(async () => {
  const web = await openOrtWeb({ prefer: "wasm" });
  const histograms = await gatherHistograms(onnx, {
    run: async (bytes, feeds) => await (await web.wasm.load(bytes)).run(feeds),
    examples: Array.from({ length: 16 }, () => ({ image: tensor("float32", [1, 1, 28, 28], picture()) })),
  });
  await web.close();
  const calibration = { ranges: chosenRanges(histograms) };
  released = {
    name: "cnn",
    onnx,
    forms: {
      "int8-dynamic": (await quantize(onnx, { scheme: "int8-dynamic" })).model,
      "int8-static": (await quantize(onnx, { scheme: "int8-static", calibration })).model,
      float16: (await quantize(onnx, { scheme: "float16", float16Form: "arithmetic" })).model,
    },
    sample: { image: quantilesOf(histograms.get("image")!) },
  };
});

let page: PageRuntime;
let database: string;
afterEach(async () => {
  await page.runtime.close();
  await deleteDB(database);
});

/** Opens the model in a worker of its own. */
async function opened(engine: WorkerStart["engine"]) {
  database = `forms-${crypto.randomUUID()}`;
  page = startPageRuntime(database, engine);
  await page.runtime.model("digits");
  await page.release(released);
  const model = await page.runtime.model("cnn");
  const { classes } = await model.run({ image });
  expect(classes).toHaveLength(1);
  const { models, engines } = await page.runtime.diagnose();
  const { triedVariants } = models.find((each) => each.model === "cnn")!;
  return { model, engines, triedVariants };
}

const verdictsOf = (tried: readonly TriedVariant[]) =>
  tried.map(({ variant, verdict }) => [variant, verdict]);

test("WASM compares the forms of integers, and runs the fastest that agrees", async () => {
  const { model, triedVariants, engines } = await opened({ prefer: "wasm" });
  expect(engines.features).toEqual([]);
  expect(verdictsOf(triedVariants)).toEqual([
    ["int8-weights", "reference"],
    ["int8-dynamic", "agrees"],
    ["int8-static", "agrees"],
    ["float16", "unsuited"],
  ]);
  const times = triedVariants.slice(0, 3).map(({ medianMs }) => medianMs!);
  const fastest = triedVariants[times.indexOf(Math.min(...times))]!.variant;
  expect([model.state.engine, model.state.variant]).toEqual(["ort-wasm", fastest]);
});

test("a GPU without arithmetic in float16 runs the base, and says what the forms are for", async (context) => {
  if (adapter === null || adapter === undefined) context.skip("this browser has no WebGPU adapter");
  if (halfFloats) context.skip("this adapter has shader-f16");
  const { model, triedVariants, engines } = await opened({ prefer: "webgpu" });
  expect([model.state.engine, model.state.variant, engines.features]).toEqual([
    "ort-webgpu",
    "int8-weights",
    [],
  ]);
  expect(triedVariants.map(({ variant, message }) => [variant, message])).toEqual([
    ["int8-dynamic", "for ort-wasm, ort-node"],
    ["int8-static", "for ort-wasm, ort-node"],
    ["float16", "for ort-webgpu with shader-f16"],
  ]);
});

test("a GPU with arithmetic in float16 compares that form", async (context) => {
  if (!halfFloats) context.skip("the adapter has no shader-f16, which SwiftShader never has");
  const { model, triedVariants, engines } = await opened({ prefer: "webgpu" });
  expect([model.state.engine, engines.features]).toEqual(["ort-webgpu", ["shader-f16"]]);
  expect(verdictsOf(triedVariants)).toEqual([
    ["int8-weights", "reference"],
    ["float16", "agrees"],
    ["int8-dynamic", "unsuited"],
    ["int8-static", "unsuited"],
  ]);
});
