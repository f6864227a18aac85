import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildDigitsCnn,
  chosenRanges,
  encodeModel,
  gatherHistograms,
  quantilesOf,
  quantize,
} from "@tributary/onnx";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import type { ModelDiagnosis, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { tensor } from "@tributary/tensor";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";

const image = Float32Array.from({ length: 784 }, (_, i) => (i % 13) / 13);
const model = buildDigitsCnn({ seed: "variants" });
let dynamic: Uint8Array;
let fixed: Uint8Array;
let half: Uint8Array;
let sample: readonly number[];
let wrong: Uint8Array;
beforeAll(async () => {
  dynamic = (await quantize(model, { scheme: "int8-dynamic" })).model;
  half = (await quantize(model, { scheme: "float16", float16Form: "arithmetic" })).model;
  wrong = (await quantize(buildDigitsCnn({ seed: "another" }), { scheme: "int8-dynamic" })).model;
  const engine = await createOrtNodeEngine();
  const histograms = await gatherHistograms(model, {
    run: async (bytes, feeds) => await (await engine.load(bytes)).run(feeds),
    // The picture, darker and lighter.
    examples: Array.from({ length: 8 }, (_, i) => ({
      image: tensor(
        "float32",
        [1, 1, 28, 28],
        image.map((value, at) => (at % 8 === i ? 0 : value * (0.5 + i / 8))),
      ),
    })),
  });
  await engine.close();
  sample = quantilesOf(histograms.get("image")!);
  const calibration = { ranges: chosenRanges(histograms) };
  fixed = (await quantize(model, { scheme: "int8-static", calibration })).model;
});

let dataDir: string;
let site: Site;
let runtime: Runtime;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-variants-"));
  site = await startSite();
});
afterEach(async () => {
  await runtime.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

const start = () => createRuntime({ coordinator: site.url, trust: { root: site.repository.root }, dataDir });

async function diagnosed(name: string): Promise<ModelDiagnosis> {
  return (await runtime.diagnose()).models.find((each) => each.model === name)!;
}

test("of the forms for this engine that agree the fastest runs, and is remembered; no other is fetched", async () => {
  const forms = { "int8-dynamic": dynamic, "int8-static": fixed, float16: half };
  await site.repository.releaseModel("cnn", model, 2, { forms, sample: { image: sample } });
  runtime = await start();
  const cnn = await runtime.model("cnn");
  const first = await diagnosed("cnn");
  expect(first.triedVariants).toMatchObject([
    { variant: "int8-weights", verdict: "reference" },
    { variant: "int8-dynamic", verdict: "agrees" },
    { variant: "int8-static", verdict: "agrees" },
    { variant: "float16", verdict: "unsuited", medianMs: null },
  ]);
  const compared = first.triedVariants.slice(0, 3);
  for (const { relativeError } of compared.slice(1)) {
    expect(relativeError).toBeGreaterThan(0);
    expect(relativeError).toBeLessThan(0.05);
  }
  // By the times that it took, whatever these were.
  const leastMs = Math.min(...compared.map(({ medianMs }) => medianMs!));
  const fastest = compared.find(({ medianMs }) => medianMs === leastMs)!.variant;
  expect([cnn.state.variant, first.variant]).toEqual([fastest, fastest]);
  const isFetched = (form: string): boolean => {
    const digest = site.repository.targets.get(`models/cnn/versions/1/${form}.onnx`)!.sha256;
    return site.requests.some((request) => request.includes(digest));
  };
  expect(["int8-dynamic", "int8-static", "float16"].map(isFetched)).toEqual([true, true, false]);
  const { download } = first;
  expect([download?.deltas, download?.sizeBytes]).toEqual([0, download?.fullBytes]);
  expect(download!.fullBytes).toBeGreaterThan(dynamic.length + fixed.length);
  const { classes } = await cnn.run({ image });
  await runtime.close();
  // The next start neither measures nor fetches.
  const before = site.requests.length;
  runtime = await start();
  const again = await runtime.model("cnn");
  expect(again.state.variant).toBe(fastest);
  expect((await diagnosed("cnn")).triedVariants).toEqual(first.triedVariants);
  expect((await again.run({ image })).classes).toEqual(classes);
  expect(site.requests.slice(before).filter((request) => request.includes("/blobs/"))).toEqual([]);
});

test("a version that waits has the forms with it that what runs now can use", async () => {
  await site.repository.releaseModel("cnn", model, 2, { forms: { "int8-dynamic": dynamic, float16: half } });
  runtime = await start();
  const cnn = await runtime.model("cnn", { update: "manual" });
  await site.repository.releaseModel("cnn", buildDigitsCnn({ seed: "next" }), 2, {
    version: 2,
    forms: { "int8-dynamic": wrong, float16: half },
  });
  await cnn.refresh();
  const digestOf = (form: string) =>
    site.repository.targets.get(`models/cnn/versions/2/${form}.onnx`)!.sha256;
  const blobs = () => site.requests.filter((request) => request.includes("/blobs/"));
  expect(blobs().some((request) => request.includes(digestOf("int8-dynamic")))).toBe(true);
  const before = blobs().length;
  for await (const update of cnn.updates()) {
    await update.apply();
    break;
  }
  expect([cnn.state.version, blobs().length]).toEqual([2, before]);
});

test("a form that computes something else is not run, nor one that does not load, and the base goes on", async () => {
  await site.repository.releaseModel("wrong", model, 2, { forms: { "int8-dynamic": wrong } });
  await site.repository.releaseModel("broken", model, 2, {
    forms: { "int8-dynamic": dynamic.slice(0, 999) },
  });
  runtime = await start();
  for (const [name, verdict] of [
    ["wrong", "disagrees"],
    ["broken", "failed"],
  ] as const) {
    const handle = await runtime.model(name);
    expect(handle.state.variant).toBe("int8-weights");
    expect((await diagnosed(name)).triedVariants[1]).toMatchObject({ variant: "int8-dynamic", verdict });
    expect((await handle.run({ image })).classes).toHaveLength(1);
    await handle.close();
  }
});

test("an app that asks for exact weights gets them, and no other form is fetched", async () => {
  await site.repository.releaseModel("cnn", model, 2, { forms: { "int8-dynamic": dynamic } });
  runtime = await start();
  const cnn = await runtime.model("cnn", { variant: "float32" });
  expect(cnn.state.variant).toBe("float32");
  expect((await diagnosed("cnn")).triedVariants).toEqual([]);
  const digest = site.repository.targets.get("models/cnn/versions/1/int8-dynamic.onnx")!.sha256;
  expect(site.requests.some((request) => request.includes(digest))).toBe(false);
});

test("where no batch is known that a model takes, its base runs", async () => {
  const base = mismatchedSizes();
  const { model: form } = await quantize(base, { scheme: "int8-dynamic" });
  await site.repository.releaseModel("sizes", base, 2, { forms: { "int8-dynamic": form } });
  runtime = await start();
  const sizes = await runtime.model("sizes");
  expect([sizes.state.variant, (await diagnosed("sizes")).triedVariants]).toEqual(["int8-weights", []]);
  const { outputs } = await sizes.run({
    a: tensor("float32", [1, 3], Float32Array.of(1, 2, 3)),
    b: tensor("float32", [3, 2], Float32Array.of(1, 0, 0, 1, 1, 1)),
  });
  expect([...outputs["y"]!.data]).toEqual([4, 5]);
});

/** y = a·b, of any sizes that fit. */
function mismatchedSizes(): Uint8Array {
  const port = (name: string, shape: readonly string[]) => ({ name, elementType: "float32" as const, shape });
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "product",
      nodes: [
        { name: "", domain: "", opType: "MatMul", inputs: ["a", "b"], outputs: ["y"], attributes: new Map() },
      ],
      initializers: [],
      inputs: [port("a", ["m", "k"]), port("b", ["k", "n"])],
      outputs: [port("y", ["m", "n"])],
      valueInfo: [],
    },
  });
}
