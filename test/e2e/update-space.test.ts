import { join } from "node:path";
import { createApiClient, type RoundView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { seededRandom, silentLogger } from "@tributary/core";
import { build2nn, splitWeights } from "@tributary/onnx";
import type { LabelledExample, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { generateDigits, labelledImagesFile } from "@tributary/simulator";
import { parametersFromSafetensors, parameterView, type ParameterSet } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { NORMALIZED_CLASSES, NORMALIZED_INPUTS, normalizedModel } from "../src/normalized-model.ts";

/** What devices sent, in this process, before it was masked. */
const sent = vi.hoisted(() => [] as { values: readonly number[]; numExamples: number }[]);

vi.mock("@tributary/protocol", async (importOriginal) => {
  const original = await importOriginal<typeof import("@tributary/protocol")>();
  return {
    ...original,
    encodeUpdate(...args: Parameters<typeof original.encodeUpdate>) {
      const [{ numExamples }, values] = args;
      sent.push({ values: [...values], numExamples });
      return original.encodeUpdate(...args);
    },
  };
});
vi.mock("@tributary/secagg", async (importOriginal) => {
  const original = await importOriginal<typeof import("@tributary/secagg")>();
  return {
    ...original,
    encodeContribution(...args: Parameters<typeof original.encodeContribution>) {
      const [, { weight, values }] = args;
      const [weights, statistics] = values as [ArrayLike<number>, ArrayLike<number>];
      sent.push({
        values: [...Array.from(weights), ...Array.from(statistics)],
        numExamples: weight,
      });
      return original.encodeContribution(...args);
    },
  };
});

const POPULATION = "default" as never;
const DEVICES = 3;
let opened: AsyncDisposableStack;
let folder: ReturnType<typeof temporaryFolder>;
let coordinator: Coordinator;
let api: ReturnType<typeof createApiClient>;
let runtimes: Runtime[];

beforeEach(async () => {
  opened = new AsyncDisposableStack();
  folder = temporaryFolder();
  opened.defer(() => folder.remove());
  sent.length = 0;
  runtimes = [];
  const dataDir = join(folder.path, "coordinator");
  coordinator = await createCoordinator({ dataDir, port: 0, env: { log: silentLogger } });
  opened.defer(() => coordinator.close());
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
});
afterEach(() => opened.disposeAsync());

/** A model, a task on it and devices with their examples; resolves when all its rounds are over. */
async function learn(
  model: Uint8Array,
  task: { readonly rounds: number } & Record<string, unknown>,
  examplesOf: (device: number) => readonly LabelledExample[],
): Promise<readonly RoundView[]> {
  await api.publishModel("learned", model);
  await api.createTask({
    name: "learned",
    model: "learned",
    cohort: { goalCount: DEVICES, minimumCount: DEVICES, overSelection: 1, trainDeadlineMs: 30_000 },
    stepPrecision: "float32",
    ...task,
  } as never);
  for (let i = 0; i < DEVICES; i++) {
    const runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root: coordinator.tufRoot, minimumCohort: DEVICES },
      token: () => coordinator.mintEnrolmentToken(POPULATION),
      dataDir: join(folder.path, `device-${i}`),
    });
    opened.defer(() => runtime.close());
    runtimes.push(runtime);
    await (await runtime.model("learned")).examples.addAll(examplesOf(i));
    runtime.participate({ consent: true, task: "learned" });
  }
  return vi.waitFor(
    async () => {
      const { rounds } = await api.rounds("learned");
      expect(rounds.filter(({ endedAt }) => endedAt !== null)).toHaveLength(task.rounds);
      return rounds.toReversed();
    },
    { timeout: 45_000, interval: 100 },
  );
}

async function weightsOf(model: Uint8Array, version: number): Promise<ParameterSet> {
  const found = (await api.versions("learned")).versions.find((each) => each.version === version)!;
  return parametersFromSafetensors(splitWeights(model).parameters.schema, await blob(found.weightsDigest));
}

async function blob(digest: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`${coordinator.url}/v1/blobs/${digest}`)).arrayBuffer());
}

test.each(["off", "on"] as const)(
  "batch statistics become the devices' weighted mean while FedAdam steps the weights, secure aggregation %s",
  async (mode) => {
    const model = normalizedModel();
    const random = seededRandom("normalized examples");
    const rounds = await learn(
      model,
      {
        rounds: 1,
        local: { epochs: 2, batchSize: 8, learningRate: 0.05 },
        strategy: { name: "fedAdam", parameters: { learningRate: 0.02 } },
        secureAggregation: { mode, minimumCohort: DEVICES, phaseDeadlineMs: 8_000 },
      },
      (device) =>
        Array.from({ length: 20 + 10 * device }, (_, n) => ({
          x: Float32Array.from({ length: NORMALIZED_INPUTS }, () => 2 * random.normal() + device),
          label: n % NORMALIZED_CLASSES,
        })),
    );
    expect(rounds).toMatchObject([{ phase: "committed", cohort: DEVICES, numExamples: 90 }]);

    const [before, after] = [await weightsOf(model, 1), await weightsOf(model, 2)];
    const statistics = ["norm.mean", "norm.var"];
    const weights = before.schema.map(({ name }) => name).filter((name) => !statistics.includes(name));
    expect(sent).toHaveLength(DEVICES);
    let offset = 0;
    for (const name of [...weights, ...statistics]) {
      const [from, to] = [parameterView(before, name), parameterView(after, name)];
      const mean = Array.from(from, (_, i) =>
        sent.reduce((sum, { values, numExamples }) => sum + (numExamples / 90) * values[offset + i]!, 0),
      );
      offset += from.length;
      const differences = mean.map((change, i) => Math.abs(to[i]! - (from[i]! + change)));
      // Adam's step is no mean of updates; a statistic is, up to the rounding of its encoding.
      if (statistics.includes(name))
        expect(Math.max(...differences)).toBeLessThan(mode === "on" ? 5e-4 : 1e-6);
      else expect(Math.max(...differences)).toBeGreaterThan(1e-3);
      expect(mean.some((change) => Math.abs(change) > 1e-3)).toBe(true);
    }
    expect(sent.every(({ values }) => values.length === offset)).toBe(true);
    expect(parameterView(after, "norm.var").every((value) => value > 0)).toBe(true);

    // What devices run is in inference mode, though what they train is not: nothing is dropped.
    const normalized = await runtimes[0]!.model("learned");
    const run = async () => (await normalized.run({ x: Float32Array.of(1, -1, 0.5, 2) })).outputs["y"]!.data;
    expect(await run()).toEqual(await run());
  },
);

test("of an adapter task devices send the adapters alone, and the accuracy of the ordinary weights rises", async () => {
  const model = build2nn({ seed: 1 });
  const digits = (writer: number, count: number) => {
    const { images, labels } = generateDigits({ seed: "adapters", writer, count });
    return Array.from({ length: count }, (_, i) => ({
      image: Float32Array.from(images.subarray(i * 784, (i + 1) * 784), (pixel) => pixel / 255),
      label: labels[i]!,
    }));
  };
  const heldOut = generateDigits({ seed: "adapters", writer: 0, count: 200 });
  const { digest } = await api.uploadBlob(labelledImagesFile(heldOut));
  const rounds = await learn(
    model,
    {
      rounds: 3,
      local: { epochs: 4, batchSize: 10, learningRate: 0.01, optimizer: { kind: "adam" } },
      adapters: { targets: ["fc*"], rank: 8, alpha: 16 },
      secureAggregation: { mode: "off" },
      evaluation: { dataset: digest },
      maxUpdateNorm: 20,
    },
    (device) => digits(device, 100),
  );
  expect(rounds.map(({ phase }) => phase)).toEqual(["committed", "committed", "committed"]);
  // B of three layers: 8 x 200, 8 x 200 and 8 x 10 numbers instead of 199,210.
  const adapters = 8 * (200 + 200 + 10);
  expect(sent.every(({ values }) => values.length === adapters)).toBe(true);
  for (const { bytesUp, reported } of rounds) {
    const perDevice = bytesUp / reported;
    expect(perDevice).toBeGreaterThan(4 * adapters);
    expect(perDevice).toBeLessThan(4 * adapters + 256);
  }
  const versions = (await api.versions("learned")).versions.toReversed();
  expect(versions.map(({ parameterCount }) => parameterCount)).toEqual([199_210, 199_210, 199_210, 199_210]);
  expect(versions[3]!.accuracy!).toBeGreaterThan(versions[1]!.accuracy!);
  expect(versions[3]!.accuracy!).toBeGreaterThan(0.4);
  // Biases are not adapted.
  const [first, last] = [await weightsOf(model, 1), await weightsOf(model, 4)];
  expect(parameterView(last, "fc1.bias")).toEqual(parameterView(first, "fc1.bias"));
  expect(parameterView(last, "fc1.weight")).not.toEqual(parameterView(first, "fc1.weight"));
});
