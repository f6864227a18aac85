import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asPopulationName, seededRandom } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { createTfjsEngine } from "@tributary/engine/tfjs";
import type { LabelledExample, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomWeight, sequentialFiles } from "../../packages/engine/test/tfjs/layers-model.ts";
import { WASM_PATHS } from "../../packages/engine/test/tfjs/wasm-paths.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { startTributary } from "../src/tributary-process.ts";

const [DEVICES, EXAMPLES, ROUNDS, SIDE, CLASSES] = [3, 30, 3, 8, 3] as const;
const folder = temporaryFolder();
const opened = new AsyncDisposableStack();
const random = seededRandom("bars");
let coordinator: Coordinator;

beforeAll(async () => {
  opened.defer(() => folder.remove());
  coordinator = await createCoordinator({ dataDir: join(folder.path, "coordinator"), port: 0 });
  opened.defer(() => coordinator.close());
});
afterAll(() => opened.disposeAsync());

/** As an operator types it. */
async function tributary(...args: string[]): Promise<string> {
  const env = { TRIBUTARY_URL: coordinator.url, TRIBUTARY_TOKEN: coordinator.operatorToken };
  const ended = await startTributary(args, { env }).ended;
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return ended.stdout;
}

/** Grey images with a bright bar: across, upright, or none. */
function bar(label: number): number[] {
  const at = random.integer(SIDE);
  return Array.from({ length: SIDE * SIDE }, (_, i) => {
    const place = label === 0 ? Math.floor(i / SIDE) : label === 1 ? i % SIDE : -1;
    return (place === at ? 1 : 0) + 0.2 * random.normal();
  });
}

const images = (count: number): LabelledExample[] =>
  Array.from({ length: count }, (_, i) => ({ conv_input: bar(i % CLASSES), label: i % CLASSES }));

/** A convolutional network as `model.save` writes it. */
async function writeModel(to: string): Promise<string> {
  const { modelJson, read } = sequentialFiles(
    [
      {
        class_name: "Conv2D",
        config: {
          name: "conv",
          filters: 6,
          kernel_size: [3, 3],
          activation: "relu",
          batch_input_shape: [null, SIDE, SIDE, 1],
        },
      },
      { class_name: "BatchNormalization", config: { name: "norm", axis: -1, momentum: 0.5, epsilon: 1e-3 } },
      { class_name: "MaxPooling2D", config: { name: "pool", pool_size: [2, 2] } },
      { class_name: "Flatten", config: { name: "flat" } },
      { class_name: "Dropout", config: { name: "drop", rate: 0.1 } },
      { class_name: "Dense", config: { name: "scores", units: CLASSES, activation: "softmax" } },
    ],
    [
      randomWeight("conv/kernel", [3, 3, 1, 6]),
      randomWeight("conv/bias", [6]),
      randomWeight("norm/gamma", [6], 1),
      randomWeight("norm/beta", [6]),
      { ...randomWeight("norm/moving_mean", [6]), values: new Float32Array(6) },
      { ...randomWeight("norm/moving_variance", [6]), values: new Float32Array(6).fill(1) },
      randomWeight("scores/kernel", [54, CLASSES]),
      randomWeight("scores/bias", [CLASSES]),
    ],
  );
  await mkdir(to);
  await writeFile(join(to, "weights.bin"), await read());
  await writeFile(join(to, "model.json"), modelJson);
  return join(to, "model.json");
}

test("a model.json is published, learned in secure rounds by devices with TensorFlow.js, and gets better", async () => {
  await tributary("publish", await writeModel(join(folder.path, "bars")), "--name", "bars");
  const heldOut = images(60);
  const pixels = Float32Array.from(heldOut.flatMap(({ conv_input: image }) => image as number[]));
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const { digest: dataset } = await api.uploadBlob(
    writeSafetensors([
      ["conv_input", tensor("float32", [heldOut.length, SIDE, SIDE, 1], pixels)],
      [
        "labels",
        tensor(
          "int32",
          [heldOut.length],
          Int32Array.from(heldOut, ({ label }) => Number(label)),
        ),
      ],
    ]),
  );
  await api.createTask({
    name: "bars",
    model: "bars",
    rounds: ROUNDS,
    cohort: { goalCount: DEVICES, minimumCount: 3, overSelection: 1 },
    secureAggregation: { minimumCohort: 3 },
    local: { epochs: 6, batchSize: 8, learningRate: 0.02, optimizer: { kind: "adam" } },
    evaluation: { dataset },
  });

  // On WASM, and in plain JavaScript.
  const engines: Engine[] = [
    await createTfjsEngine({ backend: "wasm", wasmPaths: WASM_PATHS }),
    await createTfjsEngine(),
  ];
  const start = async (i: number, tfjs?: Engine): Promise<Runtime> => {
    const runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root: coordinator.tufRoot, minimumCohort: 3 },
      token: () => coordinator.mintEnrolmentToken(asPopulationName("default")),
      dataDir: join(folder.path, `device-${i}`),
      ...(tfjs === undefined ? {} : { tfjs }),
    });
    opened.use(runtime);
    return runtime;
  };
  const runtimes = await Promise.all(Array.from({ length: DEVICES }, (_, i) => start(i, engines[i % 2]!)));
  const models = await Promise.all(runtimes.map((runtime) => runtime.model("bars", { variant: "float32" })));
  await Promise.all(models.map((model) => model.examples.addAll(images(EXAMPLES))));
  const trainedOn = new Set<string>();
  const rounds = runtimes.map(async (runtime) => {
    const participation = runtime.participate({ consent: true, task: "bars" });
    let outcomes = 0;
    for await (const event of participation.events()) {
      if (event.type === "failed") throw new Error(`${event.code}: ${event.message}`);
      if (event.type === "trained") trainedOn.add(event.engine);
      if (event.type === "outcome" && ++outcomes === ROUNDS) return;
    }
  });
  await Promise.all(rounds);
  expect([...trainedOn].toSorted()).toEqual(["tfjs-cpu", "tfjs-wasm"]);
  const [newest] = (await api.versions("bars")).versions;
  expect(newest).toMatchObject({ version: ROUNDS + 1, cohort: DEVICES });
  expect(newest!.accuracy!).toBeGreaterThan(0.7);

  const [model] = models;
  await model!.refresh();
  expect(model!.state).toMatchObject({ version: ROUNDS + 1, engine: "tfjs-wasm", variant: "float32" });
  const { classes } = await model!.run({
    conv_input: heldOut.flatMap(({ conv_input: image }) => image as number[]),
  });
  const hits = classes.filter((each, i) => each === heldOut[i]!.label).length;
  expect(hits / heldOut.length).toBeCloseTo(newest!.accuracy!, 5);
}, 120_000);
