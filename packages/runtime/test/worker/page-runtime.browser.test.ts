import { readSafetensors } from "@tributary/tensor";
import { deleteDB } from "idb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DownloadProgress, ModelHandle, Runtime } from "../../src/runtime.ts";
import type { WorkerStart } from "../../src/worker/device-host.ts";
import { convolve, SIZE } from "../fixtures/convolution-model.ts";
import { startPageRuntime, type PageRuntime } from "../fixtures/page-runtime.ts";

let database: string;
let page: PageRuntime;
let runtimes: Runtime[] = [];

beforeEach(() => {
  database = `page-${crypto.randomUUID()}`;
  runtimes = [];
});
afterEach(async () => {
  await Promise.all(runtimes.map((runtime) => runtime.close()));
  await deleteDB(database);
});

function start(engine: WorkerStart["engine"] = {}): Runtime {
  page = startPageRuntime(database, engine);
  runtimes.push(page.runtime);
  return page.runtime;
}

const image = Float32Array.from({ length: 784 }, (_, at) => (at % 7) / 7);

const FULL = import.meta.env["TRIBUTARY_TEST_FULL"] === "1";

/** Bytes of this page and its worker after a garbage collection; the browser takes its time for it. */
async function usedBytes(): Promise<number> {
  const measuring = performance as unknown as {
    measureUserAgentSpecificMemory(): Promise<{ readonly bytes: number }>;
  };
  return (await measuring.measureUserAgentSpecificMemory()).bytes;
}

/** Runs leave no memory of the engine, no listener and no object behind. */
async function expectNothingLeft(runtime: Runtime, model: ModelHandle): Promise<void> {
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  const runs = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await model.run({ image }, { signal });
  };
  await runs(200);
  const heapBytes = (await runtime.diagnose()).engines.heapBytes;
  const before = FULL ? await usedBytes() : 0;
  await runs(FULL ? 20_000 : 200);
  const { engines, worker } = await runtime.diagnose();
  expect([engines.heapBytes, listeners, worker]).toEqual([heapBytes, 0, { replaced: 0, recycled: 0 }]);
  if (FULL) expect((await usedBytes()) - before).toBeLessThan(2_000_000);
}

/** Kept of every kind of image: the same values, in the order in which they came. */
async function expectSame(seen: ModelHandle): Promise<void> {
  const kept = await seen.examples.list();
  expect(kept.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4, 5]);
  const [first, ...others] = kept.map(({ inputs }) => inputs["image"] as Float32Array);
  expect(first).toHaveLength(784);
  expect(new Set(first).size).toBeGreaterThan(1);
  for (const values of others) {
    // Canvas and triangle filter differ at edges.
    const difference = values.reduce((sum, value, i) => sum + Math.abs(value - first![i]!), 0);
    expect(difference / 784).toBeLessThan(0.03);
  }
  const { tensors } = readSafetensors((await seen.examples.export())!);
  expect(tensors.get("image")).toMatchObject({ dtype: "float32", shape: [6, 1, 28, 28] });
}

/** Six input channels: WebGPU computes another convolution, in silence. */
async function expectGuarded(runtime: Runtime): Promise<void> {
  const model = await runtime.model("convolution");
  const x = Float32Array.from({ length: 6 * SIZE * SIZE }, (_, at) => (at % 11) / 11);
  const { outputs } = await model.run({ x });
  const expected = convolve(x, 6);
  const scale = Math.max(...expected.map(Math.abs));
  for (const [i, value] of outputs["y"]!.data.entries()) {
    // Devices run int8 weights.
    expect(Math.abs(Number(value) - expected[i]!)).toBeLessThan(0.05 * scale);
  }
  const { engines, models, worker } = await runtime.diagnose();
  expect(engines).toMatchObject({
    available: ["ort-wasm", "ort-webgpu"],
    crossOriginIsolated: true,
    heapBytes: expect.any(Number) as number,
  });
  expect(worker).toEqual({ replaced: 0, recycled: 0 });
  const diagnosis = models.find((each) => each.model === "convolution")!;
  expect(diagnosis).toMatchObject({
    model: "convolution",
    engine: "ort-wasm",
    reason: "disagrees",
    remembered: false,
    tried: [{ verdict: "reference" }, { engine: "ort-webgpu", verdict: "disagrees" }],
    batching: "untried",
    calls: { answered: 1 },
  });
  expect(diagnosis.tried[1]!.relativeError).toBeGreaterThan(0.1);
}

describe("a page's runtime", () => {
  test("opens a verified model in the worker, runs it on WASM, and says why not on the software GPU", async () => {
    const runtime = start();
    const progress: DownloadProgress[] = [];
    const digits = await runtime.model("digits", { onProgress: (each) => progress.push(each) });
    expect(digits.state).toMatchObject({ version: 1, engine: "ort-wasm" });
    expect(digits.state.note).toContain("software");
    const model = progress.filter(({ part }) => part === "model");
    expect(model.at(-1)).toMatchObject({ model: "digits", version: 1 });
    const engine = progress.filter(({ part }) => part === "engine").map(({ receivedBytes }) => receivedBytes);
    expect(engine).toEqual(engine.toSorted((a, b) => a - b));
    expect(engine.at(-1)).toBeGreaterThan(10_000_000);
    const { probabilities, classes, outputs } = await digits.run({ image });
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(probabilities[classes[0]!]).toBe(Math.max(...probabilities));
    expect(outputs["logits"]!.shape).toEqual([1, 10]);
    await expectNothingLeft(runtime, digits);
  });

  test("a model of several inputs runs by their names after the engines were compared, and keeps examples", async () => {
    const texts = await start({ softwareAdapter: "use" }).model("texts");
    expect(texts.state.note).toContain("measured: ");
    const ids = [1, 2, 3, 4, 5, 6, 7, 8];
    const mask = [1, 1, 1, 0, 0, 0, 0, 0];
    const { outputs, classes } = await texts.run({ ids, mask }, { transfer: true });
    expect([outputs["topic"]!.shape, outputs["score"]!.shape]).toEqual([
      [1, 3],
      [1, 1],
    ]);
    // What the mask leaves out does not count.
    const other = await texts.run({ ids: [1, 2, 3, 9, 9, 9, 9, 9], mask });
    expect([...other.outputs["topic"]!.data]).toEqual([...outputs["topic"]!.data]);
    await expect(texts.run({ ids })).rejects.toMatchObject({
      code: "engine/missing-input",
      detail: { input: "mask" },
    });
    await texts.examples.add({ ids, mask, label: { topic: classes[0]!, score: [0.5] } });
    const [kept] = await texts.examples.list();
    expect(kept!.inputs["ids"]).toEqual(BigInt64Array.from(ids, BigInt));
    expect(kept!.label).toEqual({ topic: classes[0], score: Float32Array.of(0.5) });
  });

  test("images of every kind are prepared in the worker and answered with labels, also as a stream", async () => {
    const seen = await start().model("seen");
    const canvas = new OffscreenCanvas(56, 56);
    const context = canvas.getContext("2d")!;
    context.fillStyle = "white";
    context.fillRect(0, 0, 56, 56);
    context.fillStyle = "rgb(40, 90, 200)";
    context.fillRect(8, 16, 24, 32);
    const pixels = context.getImageData(0, 0, 56, 56);
    const element = document.createElement("canvas");
    element.width = element.height = 56;
    element.getContext("2d")!.putImageData(pixels, 0, 0);
    const bitmap = await createImageBitmap(canvas);
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    const blob = await canvas.convertToBlob({ type: "image/png" });
    const first = await seen.run({ image: pixels });
    expect(first.top[0]).toHaveLength(3);
    expect(first.top[0]![0]).toEqual({
      index: first.classes[0],
      label: `digit ${first.classes[0]}`,
      probability: Math.max(...first.probabilities),
    });
    const sources = [bitmap, frame, blob, canvas, element];
    for (const [label, image] of [pixels, ...sources].entries()) await seen.examples.add({ image, label });
    await expectSame(seen);
    for (const source of sources) {
      const { probabilities } = await seen.run({ image: source });
      for (const [i, p] of probabilities.entries()) expect(p).toBeCloseTo(first.probabilities[i]!, 2);
    }
    expect([bitmap.width, frame.format]).toEqual([0, null]); // handed over
    expect(pixels.data.length).toBe(4 * 56 * 56); // copied
    const explained = await seen.explain({ image: pixels });
    expect(explained).toMatchObject({ method: "integrated-gradients", label: `digit ${explained.target}` });
    const { data, shape } = explained.attributions["image"]!;
    expect([shape, data.length]).toEqual([[1, 1, 28, 28], 784]);
    const total = Array.from(data, Number).reduce((sum, value) => sum + value, 0);
    expect(total).toBeCloseTo(explained.score - explained.baselineScore!, 2);
    await expect(seen.run({ image: new Blob(["no image"]) })).rejects.toMatchObject({
      code: "runtime/unsupported-image",
    });
    const answers = [];
    for await (const answer of seen.stream([pixels, blob, { image: element }])) answers.push(answer.classes);
    expect(answers).toEqual([first.classes, first.classes, first.classes]);
  });

  test("a new version is swapped in while runs are under way", async () => {
    const runtime = start();
    const digits = await runtime.model("digits");
    const before = await digits.run({ image });
    await page.release(2);
    const under = Array.from({ length: 20 }, () => digits.run({ image }));
    expect((await digits.refresh()).version).toBe(2);
    expect((await Promise.all(under)).every(({ version }) => version === 1 || version === 2)).toBe(true);
    const after = await digits.run({ image });
    expect(after.version).toBe(2);
    expect(after.probabilities).not.toEqual(before.probabilities);
    expect(digits.version).toBe(2);
  });

  test("examples stay in IndexedDB over a restart, are listed, and erased", async () => {
    const first = start();
    const digits = await first.model("digits");
    await digits.examples.add({ image: Uint8Array.from(image, (ink) => Math.round(255 * ink)), label: 7 });
    await digits.examples.add({ image, label: 3 });
    await first.close();
    const again = await start().model("digits");
    expect(await again.examples.count()).toBe(2);
    const [seven, three] = await again.examples.list();
    expect([seven!.label, three!.label]).toEqual([7, 3]);
    expect(seven!.inputs["image"]).toBeInstanceOf(Uint8Array);
    expect([...(three!.inputs["image"] as Float32Array)]).toEqual([...image]);
    // What is said of a model that is open already holds too.
    const strict = await runtimes.at(-1)!.model("digits", { examples: { maxExamples: 1 } });
    expect((await strict.examples.list()).map(({ label }) => label)).toEqual([3]);
    await expect(runtimes.at(-1)!.model("digits", { examples: { maxPerClass: 0 } })).rejects.toThrow(
      RangeError,
    );
    await again.examples.clear();
    expect(await again.examples.count()).toBe(0);
    expect(await again.examples.export()).toBeUndefined();
  });

  test("with WebGPU engines are compared and timed once per version; what it computes wrong runs right on WASM", async () => {
    const webgpu = { softwareAdapter: "use" } as const;
    const first = start(webgpu);
    const { state } = await first.model("digits");
    // SwiftShader computes what WASM does, a hundred times slower.
    expect(state.engine).toBe("ort-wasm");
    expect(state.note).toMatch(/^measured: ort-wasm .* ms, ort-webgpu .* ms$/);
    await expectGuarded(first);
    await first.close();
    const second = await start(webgpu).model("digits");
    expect(second.state.note).toBe(state.note); // the same figures: nothing was measured again
  });

  test("a model that is not released is a coded error", async () => {
    await expect(start().model("letters")).rejects.toMatchObject({ code: "runtime/unknown-model" });
  });
});
