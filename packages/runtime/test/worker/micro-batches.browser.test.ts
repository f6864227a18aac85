import { asDigest, seededRandom, sha256, silentLogger, systemClock } from "@tributary/core";
import { train } from "@tributary/engine/training";
import { buildFedAvgCnn, buildMicroBatches, buildTrainingGraph, splitWeights } from "@tributary/onnx";
import { layoutOfParameters, type Plan, type TrainingGraphDocument } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCourtesy, TARGET_MS } from "../../src/participation/courtesy.ts";
import { createMicroBatches } from "../../src/participation/micro-batches.ts";
import { createMemoryStore } from "../../src/testing/index.ts";
import { createBrowserEngines } from "../../src/worker/browser-engines.ts";
import type { EngineProvider } from "../../src/engine-provider.ts";

let engines: EngineProvider;
beforeAll(() => {
  engines = createBrowserEngines({ prefer: "wasm", clock: systemClock });
});
afterAll(() => engines.close());

const model = buildFedAvgCnn({ seed: 2 });
const { parameters: base } = splitWeights(model);
const random = seededRandom("digits");
const examples = Array.from({ length: 64 }, (_, i) => ({
  inputs: [Float32Array.from({ length: 784 }, () => random.next())],
  label: i % 10,
}));

test(
  "the batches of a convolutional network are cut until a run keeps to the bound, and train as whole ones do",
  { timeout: 60_000 },
  async () => {
    const options = {
      batchSize: 32,
      loss: "softmax-cross-entropy",
      optimizer: "sgd",
      target: "cpu",
      frozenInputs: base.schema.map(({ name }) => name),
    } as const;
    const whole = buildTrainingGraph(model, options);
    const micro = buildMicroBatches(model, options, whole);
    if (typeof micro === "string") throw new Error(`not cut: ${micro}`);
    const spec = whole.spec as TrainingGraphDocument;
    const files = new Map([
      ["train", whole.model],
      ["step", micro.step.model],
      ...micro.parts.map(({ batchSize, model: bytes }) => [`${batchSize}`, bytes] as const),
    ]);
    const fetched: string[] = [];
    const { settings } = createMemoryStore();
    const courtesy = createCourtesy({ clock: systemClock, listen: async () => {} });
    const microBatches = createMicroBatches({
      engines,
      releases: {
        target: async (path) => ({
          path,
          custom: null,
          length: files.get(path)!.length,
          sha256: asDigest(sha256(files.get(path)!)),
        }),
        async fetchTarget(path) {
          fetched.push(path);
          return files.get(path)!;
        },
      },
      settings,
      pace: courtesy,
      clock: systemClock,
      log: silentLogger,
      hasPage: true,
    });
    const plan = {
      task: "digits",
      local: { batchSize: 32 },
      training: {
        target: "train",
        spec,
        micro: {
          spec: micro.spec as TrainingGraphDocument,
          parts: micro.parts.map(({ batchSize }) => ({ batchSize, target: `${batchSize}` })),
          step: { target: "step", spec: micro.step.spec },
        },
      },
    } as unknown as Plan;
    const { signal } = new AbortController();
    const lease = await engines.openPart({ key: "whole", model: () => whole.model });
    const request = {
      session: lease.session,
      spec,
      layout: layoutOfParameters(base.schema),
      base,
      examples,
      epochs: 1,
      learningRate: 0.05,
      maxExamples: 1000,
    };
    const uncut = await train({ ...request, random: seededRandom("order") });
    const cutting = await microBatches.open(plan, lease, signal);
    const inParts = await train({
      ...request,
      random: seededRandom("order"),
      cut: cutting.cut,
      signal,
    });
    await cutting.close();
    await lease.release();

    const largest = uncut.update.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = uncut.update.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - inParts.update[i]!)),
      0,
    );
    expect(worst / largest).toBeLessThan(1e-4);
    const told = microBatches.diagnose()!;
    const size = told.microBatchSize;
    expect(told).toMatchObject({ task: "digits", batchSize: 32 });
    expect(told.runs[1]!.count).toBeGreaterThan(0);
    expect(told.runs[0]!.count).toBeGreaterThan(0);
    // However slow this machine is: the largest size that was found to keep to the bound, or one example.
    const within = Object.entries(told.runs)
      .filter(([examplesOfRun, { medianMs }]) => examplesOfRun !== "0" && medianMs <= TARGET_MS)
      .map(([examplesOfRun]) => Number(examplesOfRun));
    if (size < 32) expect(within.filter((each) => each > size)).toEqual([]);
    expect(courtesy.diagnose().steps).toBe(2);
    // It begins where it ended.
    fetched.length = 0;
    const again = await microBatches.open(plan, lease, signal);
    await again.cut!.part(signal);
    if (size < 32) expect(fetched).toEqual(expect.arrayContaining(["step", `${size}`]));
    await again.close();
  },
);
