import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAgent, readExamples } from "@tributary/agent";
import { createApiClient, type VersionView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asPopulationName, seededRandom } from "@tributary/core";
import { addLowRankAdapters, encodeModel, mergeLowRankAdapters, type Node } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import type { ParticipationEvent } from "@tributary/runtime";
import { readSafetensors, tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

const [DEVICES, ROUNDS, EXAMPLES, INPUTS, HIDDEN] = [2, 3, 60, 4, 6];
const folder = temporaryFolder();
const opened = new AsyncDisposableStack();
let coordinator: Coordinator;

beforeAll(async () => {
  opened.defer(() => folder.remove());
  coordinator = await createCoordinator({ dataDir: join(folder.path, "coordinator"), port: 0 });
  opened.defer(() => coordinator.close());
});
afterAll(() => opened.disposeAsync());

const random = seededRandom("task options");

/** One number from four: y = w2 tanh(w1 x + b1) + b2. */
function regressionModel(): Uint8Array<ArrayBuffer> {
  const node = (opType: string, inputs: string[], output: string): Node => ({
    name: output,
    domain: "",
    opType,
    inputs,
    outputs: [output],
    attributes: new Map(),
  });
  const weight = (name: string, dims: number[]) => {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal() / 2);
    return { name, elementType: "float32" as const, dims, data: new Uint8Array(values.buffer) };
  };
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "regression",
      nodes: [
        node("Gemm", ["x", "body.weight", "body.bias"], "h"),
        node("Tanh", ["h"], "t"),
        node("Gemm", ["t", "head.weight", "head.bias"], "y"),
      ],
      initializers: [
        weight("body.weight", [INPUTS, HIDDEN]),
        weight("body.bias", [HIDDEN]),
        weight("head.weight", [HIDDEN, 1]),
        weight("head.bias", [1]),
      ],
      inputs: [{ name: "x", elementType: "float32", shape: ["batch", INPUTS] }],
      outputs: [{ name: "y", elementType: "float32", shape: ["batch", 1] }],
      valueInfo: [],
    },
  });
}

/** Examples of y = x0 - 2 x1 + 3 as a safetensors file. */
function numbersFile(count: number): Uint8Array {
  const x = Float32Array.from({ length: count * INPUTS }, () => random.normal());
  const y = Float32Array.from({ length: count }, (_, i) => x[i * INPUTS]! - 2 * x[i * INPUTS + 1]! + 3);
  return writeSafetensors([
    ["images", tensor("float32", [count, INPUTS], x)],
    ["labels", tensor("float32", [count, 1], y)],
  ]);
}

/** Publishes the model, lets the devices train it, and gives its versions, oldest first, and what the devices told. */
async function learn(
  name: string,
  model: Uint8Array,
  task: object,
): Promise<{ readonly versions: readonly VersionView[]; readonly events: readonly ParticipationEvent[] }> {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel(name, model);
  const { digest } = await api.uploadBlob(numbersFile(40));
  await api.createTask(
    parseTaskSpec({
      name,
      model: name,
      rounds: ROUNDS,
      cohort: { goalCount: DEVICES, minimumCount: DEVICES, overSelection: 1 },
      evaluation: { dataset: digest, batchSize: 16 },
      secureAggregation: { mode: "off" },
      ...task,
    }),
  );
  const events: ParticipationEvent[] = [];
  const done = Promise.withResolvers<void>();
  await using agents = new AsyncDisposableStack();
  for (let i = 0; i < DEVICES; i++) {
    const file = join(folder.path, `${name}-${i}.safetensors`);
    await writeFile(file, numbersFile(EXAMPLES));
    const agent = await createAgent({
      coordinator: coordinator.url,
      trust: "first-use",
      token: () => coordinator.mintEnrolmentToken(asPopulationName("default")),
      dataDir: join(folder.path, `${name}-device-${i}`),
      model: name,
      task: name,
      examples: () => readExamples(file),
      onEvent(told) {
        if (told.type !== "participation") return;
        const { event } = told;
        events.push(event);
        const outcomes = events.filter(({ type }) => type === "outcome");
        if (event.type === "failed") done.reject(new Error(`${event.code}: ${event.message}`));
        if (outcomes.length === ROUNDS * DEVICES) done.resolve();
      },
    });
    agents.use(agent);
    await agent.ready;
  }
  await done.promise;
  return { versions: (await api.versions(name)).versions.toReversed(), events };
}

test("a regression model is trained on numbers in rounds, and measured as one", async () => {
  const { versions, events } = await learn("numbers", regressionModel(), {
    loss: { kind: "mse" },
    metrics: [{ kind: "mae" }],
    trainable: ["head.*", "body.weight"],
    local: {
      epochs: 4,
      batchSize: 8,
      learningRate: 0.02,
      optimizer: { kind: "momentum", nesterov: true },
      clipGradientNorm: 5,
    },
  });
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  const measured = versions.slice(1);
  expect(measured.map(({ accuracy }) => accuracy)).toEqual([null, null, null]);
  const losses = measured.map(({ loss }) => loss!);
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  for (const { loss, metrics } of measured) {
    // The mean of squares is at least the square of the mean.
    expect(loss!).toBeGreaterThanOrEqual(metrics["mae"]![0]! ** 2 - 1e-6);
  }
  const trained = events.filter((event) => event.type === "trained");
  expect(trained.every(({ accuracy, engine }) => accuracy === null && engine === "ort-node")).toBe(true);
});

test("of an adapted model devices train, send and get only the adapters; merged it is a plain model again", async () => {
  const adapted = addLowRankAdapters(regressionModel(), { rank: 2 });
  const { versions } = await learn("adapters", adapted.model, {
    loss: { kind: "auto" },
    local: { epochs: 4, batchSize: 8, learningRate: 0.05, optimizer: { kind: "adam" } },
  });
  // B of both layers: [2, 6] and [1, 1].
  expect(versions.map(({ parameterCount }) => parameterCount)).toEqual([13, 13, 13, 13]);
  expect(versions[3]!.loss!).toBeLessThan(versions[1]!.loss!);
  expect(mergeLowRankAdapters(adapted.model).length).toBeLessThan(adapted.model.length);
});

test("with control variates the coordinator's is the mean of what the devices keep, in files of their own", async () => {
  const { versions } = await learn("controlled", regressionModel(), {
    loss: { kind: "mse" },
    local: { epochs: 4, batchSize: 8, learningRate: 0.02 },
    strategy: { name: "scaffold", parameters: { population: DEVICES } },
  });
  expect(versions[3]!.loss!).toBeLessThan(versions[1]!.loss!);
  const { tensors } = readSafetensors(await controlOf("controlled", versions[3]!.version));
  const kept = await Promise.all(
    Array.from({ length: DEVICES }, async (_, i) => {
      const file = join(
        folder.path,
        `controlled-device-${i}`,
        "controls",
        "controlled@controlled.safetensors",
      );
      return readSafetensors(await readFile(file)).tensors;
    }),
  );
  expect(tensors.size).toBe(4);
  for (const [name, { data }] of tensors) {
    const own = kept.map((each) => each.get(name.replace("control/", "own/"))!.data as Float32Array);
    (data as Float32Array).forEach((value, i) =>
      expect(value).toBeCloseTo((own[0]![i]! + own[1]![i]!) / DEVICES, 4),
    );
  }
});

interface Signed {
  readonly signed: {
    readonly meta: Readonly<Record<string, { readonly version: number }>>;
    readonly targets: Readonly<Record<string, { readonly hashes: { readonly sha256: string } }>>;
  };
}

/** The coordinator's control variate after a version, as devices get it. */
async function controlOf(task: string, version: number): Promise<Uint8Array> {
  const get = (path: string): Promise<Response> => fetch(`${coordinator.url}/v1/${path}`);
  const metadata = async (file: string): Promise<Signed["signed"]> =>
    ((await (await get(`tuf/${file}`)).json()) as Signed).signed;
  const { version: snapshot } = (await metadata("timestamp.json")).meta["snapshot.json"]!;
  const { version: targets } = (await metadata(`${snapshot}.snapshot.json`)).meta[`${task}-training.json`]!;
  const file = (await metadata(`${targets}.${task}-training.json`)).targets[
    `models/${task}/controls/${task}/${version}.safetensors`
  ]!;
  return new Uint8Array(await (await get(`blobs/${file.hashes.sha256}`)).arrayBuffer());
}
