import * as ort from "onnxruntime-web/webgpu";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDigitsCnn, buildTrainingGraph, splitWeights } from "../../src/index.ts";
import { sequentialModel } from "../../src/models/pytorch-layers.ts";
import { interpret } from "../support/reference.ts";
import { buildCase, differences, DISTINCT_RUNS, relativeError, RUNS } from "../support/rule-cases.ts";
import { feedsOf, randomBatch } from "../support/training.ts";

// The WebGPU engine of onnxruntime returns wrong numbers for some shapes without an error, so every
// formulation of the "webgpu" target is run on it. SwiftShader will do: the faults are in the shaders.
const adapter = await navigator.gpu?.requestAdapter();
if (navigator.gpu === undefined) {
  console.warn("skipped: this browser has no WebGPU; start Chromium with --enable-unsafe-webgpu");
}

// Where WebGPU is switched on, an adapter is owed: a driver that broke must not pass for a machine without one.
test.skipIf(navigator.gpu === undefined)("WebGPU has an adapter", () => {
  expect(adapter, "navigator.gpu.requestAdapter() gave none; SwiftShader comes with Chromium").toBeTruthy();
});

type Provider = "webgpu" | "wasm";

function load(model: Uint8Array, provider: Provider): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(model, {
    executionProviders: [provider],
    logSeverityLevel: 3,
    // A node that fell back to the CPU would be right and prove nothing.
    ...(provider === "webgpu" ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {}),
  });
}

function floatsOf(tensor: ort.Tensor | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`float32 expected, got ${tensor?.type}`);
  return tensor.data;
}

/** LeNet's 6 and 16 channels: 6 is a count that WebGPU's Conv miscomputes unless it is padded. */
function buildLeNet(): Uint8Array {
  return sequentialModel(
    "lenet",
    [
      { type: "conv", name: "conv1", inputs: 1, outputs: 6, kernel: 5, padding: 2 },
      { type: "relu", name: "relu1" },
      { type: "max-pool", name: "pool1", kernel: 2 },
      { type: "conv", name: "conv2", inputs: 6, outputs: 16, kernel: 5, padding: 0 },
      { type: "relu", name: "relu2" },
      { type: "max-pool", name: "pool2", kernel: 2 },
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc1", inputs: 400, outputs: 10 },
    ],
    { seed: "lenet" },
  );
}

/** A convolution, its pooling and a dense layer: few shaders to compile. */
function buildSmallCnn(): Uint8Array {
  return sequentialModel(
    "small",
    [
      { type: "conv", name: "conv", inputs: 1, outputs: 8, kernel: 3, padding: 1 },
      { type: "relu", name: "relu" },
      { type: "max-pool", name: "pool", kernel: 2 },
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc", inputs: 1568, outputs: 10 },
    ],
    { seed: "small" },
  );
}

const full = import.meta.env["TRIBUTARY_TEST_FULL"] === "1";
// Few models, each with its trap. With a batch of 6, a convolution for the kernel's gradient would go wrong. What traps
// LeNet is among the rules too.
const MODELS: [string, Uint8Array, number][] = [
  ["a small CNN", buildSmallCnn(), 6],
  ...(full
    ? ([
        ["digits-cnn", buildDigitsCnn({ seed: 1 }), 8],
        ["lenet", buildLeNet(), 6],
      ] as [string, Uint8Array, number][])
    : []),
];
const distinct = new Set(DISTINCT_RUNS);
/** Seconds of shader compilation each, for what other cases of the same operator show as well. */
const SLOW = new Set([
  "Conv stride 3 and 2 with pads (webgpu)",
  "ConvTranspose plain (webgpu)",
  "ConvTranspose stride, pads, output padding (webgpu)",
  "ConvTranspose 9 channels, stride 2 (webgpu)",
  "ConvTranspose 6 channels (webgpu)",
  "LSTM all inputs and outputs (webgpu)",
]);
/** Of what is the same graph as on CPUs, one case an operator; all of them in the full run. */
const RULES = RUNS.filter(
  (run, i) =>
    run.target === "webgpu" &&
    (full ||
      (!SLOW.has(run.title) &&
        (distinct.has(run) || RUNS.findIndex((r) => r.op === run.op && r.target === run.target) === i))),
);

describe.skipIf(!adapter)("the webgpu target in a browser", () => {
  // Compiled shaders live as long as some session does, and compiling them is nearly all the time there is without a
  // GPU: with one session kept open, cases share what they have in common.
  let keeper: ort.InferenceSession | undefined;
  beforeAll(async () => {
    ort.env.wasm.numThreads = 1;
    keeper = await load(
      buildCase(
        RULES.find(({ op }) => op === "Neg")!,
        "webgpu",
      ).model,
      "webgpu",
    );
  });
  afterAll(async () => {
    await keeper?.release();
  });

  test.each(MODELS)("%s: three steps agree with WASM", async (_, bytes, batchSize) => {
    const { parameters } = splitWeights(bytes);
    const { model, spec } = buildTrainingGraph(bytes, {
      batchSize,
      loss: "softmax-cross-entropy",
      optimizer: "sgd",
      target: "webgpu",
    });
    const batch = randomBatch(spec, "browser");
    const steps = async (provider: Provider): Promise<Float32Array[]> => {
      const session = await load(model, provider);
      const feeds = feedsOf(ort, spec, batch, parameters, 0.05);
      let outputs: ort.InferenceSession.ReturnType = {};
      for (let step = 0; step < 3; step += 1) {
        outputs = await session.run(feeds);
        for (const { input, output } of spec.parameters) feeds[input] = outputs[output]!;
      }
      await session.release();
      const names = [spec.lossSum, spec.correct, ...spec.parameters.map(({ output }) => output)];
      return names.map((name) => floatsOf(outputs[name]));
    };
    const [wasm, webgpu] = [await steps("wasm"), await steps("webgpu")];
    for (const [i, values] of wasm.entries()) {
      expect(relativeError(webgpu[i]!, Float64Array.from(values)), `output ${i}`).toBeLessThan(1e-5);
    }
  });

  test.each(RULES)("$title", async (rule) => {
    const built = buildCase(rule, "webgpu");
    const session = await load(built.model, "webgpu");
    const feeds = Object.fromEntries(
      [...built.values, ...built.seeds].map(([name, { shape, data }]) => [
        name,
        new ort.Tensor("float32", Float32Array.from(data), shape),
      ]),
    );
    const outputs = await session.run(feeds);
    await session.release();
    // WGSL allows sin and cos an absolute error of 2^-11.
    const limit = rule.op === "Sin" || rule.op === "Cos" ? 2e-4 : 1e-5;
    const forward = interpret([built.node], new Map([...built.values, ...built.constants]));
    for (const name of built.node.outputs) {
      expect(relativeError(floatsOf(outputs[name]), forward.get(name)!.data), name).toBeLessThan(limit);
    }
    for (const name of built.values.keys()) {
      const expected = differences(built, name);
      expect(relativeError(floatsOf(outputs[`d${name}`]), expected), `gradient of ${name}`).toBeLessThan(
        limit,
      );
    }
  });
});
