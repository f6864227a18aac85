import { deleteDB } from "idb";
import { expect, test } from "vitest";
import { seededRandom, systemClock } from "@tributary/core";
import { exampleRuns } from "@tributary/engine/batches";
import { checkedWeights, train } from "@tributary/engine/training";
import { smallStep } from "../../../engine/test/tfjs/small-step.ts";
import { createBrowserEngines } from "../../src/worker/browser-engines.ts";
import { createTfjsEngines } from "../../src/worker/tfjs-engines.ts";
import { startPageRuntime } from "../fixtures/page-runtime.ts";
import { buildTfjsModel, tfjsModelAnswer } from "../fixtures/tfjs-model.ts";

test("a page runs a released model of TensorFlow.js in its worker, on WebGPU where that agrees", async () => {
  const database = `tfjs-${crypto.randomUUID()}`;
  const start = () => startPageRuntime(database, { prefer: "webgpu" });
  const first = start();
  await first.runtime.status();
  await first.release({ name: "dense", onnx: buildTfjsModel() });
  const dense = await first.runtime.model("dense", { variant: "float32" });
  expect(dense.state).toMatchObject({ engine: "tfjs-webgpu", variant: "float32" });
  const x = [1, 2, 3, 4];
  const answers = await Promise.all([dense.run({ y_input: x }), dense.run({ y_input: x.toReversed() })]);
  for (const [i, row] of [x, x.toReversed()].entries()) {
    const expected = tfjsModelAnswer(row).map((value) => expect.closeTo(value, 5) as number);
    expect(Array.from(answers[i]!.outputs["y"]!.data, Number)).toEqual(expected);
  }
  const { engines, models } = await first.runtime.diagnose();
  expect(engines.available).toEqual(["tfjs-cpu", "tfjs-webgpu"]);
  expect(models).toEqual([
    expect.objectContaining({
      model: "dense",
      reason: "insisted",
      tried: [
        expect.objectContaining({ engine: "tfjs-cpu", verdict: "reference" }),
        expect.objectContaining({ engine: "tfjs-webgpu", verdict: "agrees" }),
      ],
    }),
  ]);
  await first.runtime.close();
  await deleteDB(database);
});

test("a step of training is checked on WebGPU against the other backend, and trains there to the same", async () => {
  const { step, spec, base } = await smallStep();
  const random = seededRandom("words");
  const examples = Array.from({ length: 6 }, (_, i) => ({
    inputs: [Float32Array.from({ length: 5 }, () => random.integer(12))],
    label: i % 3,
  }));
  const trainOn = async (prefer: "wasm" | "webgpu") => {
    const engines = createBrowserEngines({
      prefer,
      softwareAdapter: "use",
      clock: systemClock,
      tfjs: (options) => createTfjsEngines({ ...options, load: () => import("@tributary/engine/tfjs") }),
    });
    const [run] = exampleRuns(spec, (index) => examples[index]!, [0, 1, 2, 3]);
    const lease = await engines.openTraining({
      key: "step",
      format: "tfjs",
      model: () => step,
      sample: () => ({ ...checkedWeights(spec, base), ...run!.feeds }),
    });
    const result = await train({
      session: lease.session,
      spec,
      layout: {
        tensors: spec.parameters.map(({ name, shape }) => ({ name, shape, role: "weight" })),
        maxStatisticChange: 1,
      },
      base,
      examples,
      epochs: 2,
      learningRate: 0.1,
      maxExamples: 100,
      random: seededRandom("order"),
    });
    const { engine, note, check } = lease;
    await lease.release();
    await engines.close();
    return { engine, note, relativeError: check?.choice.relativeError, update: result.update };
  };
  const gpu = await trainOn("webgpu");
  const cpu = await trainOn("wasm");
  expect([gpu.engine, cpu.engine]).toEqual(["tfjs-webgpu", "tfjs-cpu"]);
  expect([gpu.note, cpu.note]).toEqual([
    "WebGPU was asked for, and agrees with WASM",
    "the only engine here",
  ]);
  expect(gpu.relativeError).toBeLessThan(1e-3);
  for (const [i, value] of gpu.update.entries()) expect(value).toBeCloseTo(cpu.update[i]!, 4);
});
