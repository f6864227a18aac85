import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { sha256 } from "@tributary/core";
import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import type { Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { parameterSet } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { giveDigits } from "../src/secure-device.ts";
import { watchDownloads, type Download } from "../src/watched-downloads.ts";

const POPULATION = "default" as never;
const DEVICES = 3;
const MODEL = buildLinear({ seed: 1 });
let opened = new AsyncDisposableStack();
beforeEach(() => void (opened = new AsyncDisposableStack()));
afterEach(() => opened.disposeAsync());

test("devices train and run the next versions by deltas, bit for bit what was signed for, and whole where a delta is damaged", async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const dataDir = join(folder.path, "coordinator");
  const coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  opened.defer(() => coordinator.close());
  const downloads = opened.use(await watchDownloads(coordinator.url));
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", MODEL);
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 3,
    local: { epochs: 1, batchSize: 10, learningRate: 0.02, maxExamples: 60 },
    cohort: { goalCount: DEVICES, minimumCount: DEVICES, overSelection: 1, trainDeadlineMs: 20_000 },
    secureAggregation: { mode: "off" },
  } as never);
  const runtimes: Runtime[] = [];
  for (let i = 0; i < DEVICES; i++) {
    const runtime = await createRuntime({
      coordinator: downloads.url,
      trust: { root: coordinator.tufRoot, minimumCohort: DEVICES },
      token: () => coordinator.mintEnrolmentToken(POPULATION),
      dataDir: join(folder.path, `device-${i}`),
    });
    opened.defer(() => runtime.close());
    await giveDigits(runtime, i);
    runtime.participate({ consent: true, task: "digits" });
    runtimes.push(runtime);
  }
  const running = async (version: number): Promise<void> => {
    await vi.waitFor(
      async () => {
        for (const runtime of runtimes)
          expect((await runtime.status()).models).toMatchObject([{ model: "digits", version }]);
      },
      { timeout: 40_000, interval: 50 },
    );
  };
  await running(4);

  // Rounds began with exact weights: of the first version they came whole, then as the step from those of the round before.
  const { versions } = await api.versions("digits");
  const whole = (version: number): Download[] => {
    const { weightsDigest } = versions.find((each) => each.version === version)!;
    return downloads.seen.filter(({ digest }) => digest === weightsDigest);
  };
  expect(whole(1).length).toBeGreaterThanOrEqual(DEVICES);
  expect([whole(2), whole(3)]).toEqual([[], []]);
  const deltas = downloads.seen.filter(({ isDelta }) => isDelta);
  const steps = deltas.filter(({ bytes }) => bytes > 0.05 * whole(1)[0]!.bytes);
  expect(steps.length).toBeGreaterThanOrEqual(2 * DEVICES);
  for (const { bytes } of deltas) expect(bytes).toBeLessThan(0.2 * whole(1)[0]!.bytes);
  const rounds = (await api.rounds("digits")).rounds.toReversed();
  expect(rounds[1]!.bytesDown).toBeLessThan(0.5 * rounds[0]!.bytesDown);

  for (const [i, runtime] of runtimes.entries()) {
    const [model] = (await runtime.diagnose()).models;
    expect(model!.download!.deltas).toBeGreaterThanOrEqual(1);
    expect(model!.download!.sizeBytes).toBeLessThan(0.6 * model!.download!.fullBytes);
    await expectSigned(join(folder.path, `device-${i}`), dataDir, runtime);
  }

  downloads.damage = true;
  const { graph, parameters } = splitWeights(MODEL);
  const values = parameters.values.map((value, i) => (i % 50 === 0 ? 0.9 * value : value));
  await api.publishModel("digits", bindWeights(graph, parameterSet(parameters.schema, values)));
  await running(5);
  for (const [i, runtime] of runtimes.entries()) {
    const [model] = (await runtime.diagnose()).models;
    expect(model!.download).toMatchObject({ deltas: 0 });
    await expectSigned(join(folder.path, `device-${i}`), dataDir, runtime);
  }
}, 90_000);

interface InstalledRecord {
  readonly version: number;
  readonly files: readonly { readonly digest: string; readonly target: string }[];
}

/** The weights that a device keeps of what it runs have their digest's bytes, and are those that the coordinator has under it. */
async function expectSigned(deviceDir: string, dataDir: string, runtime: Runtime): Promise<void> {
  const version = (await runtime.status()).models[0]!.version;
  const { files } = await installed(deviceDir, version);
  const { digest } = files.find(({ target }) => target.endsWith("weights.int8.safetensors"))!;
  const bytes = await readFile(join(deviceDir, "blobs", digest));
  expect(sha256(bytes)).toBe(digest);
  expect(await readFile(join(dataDir, "blobs", digest.slice(0, 2), digest))).toEqual(bytes);
}

/** A version runs a moment before it is recorded. */
async function installed(deviceDir: string, version: number): Promise<InstalledRecord> {
  return await vi.waitFor(
    async () => {
      const text = await readFile(join(deviceDir, "models", "digits@stable.json"), "utf8");
      const record = JSON.parse(text) as InstalledRecord;
      expect(record.version).toBe(version);
      return record;
    },
    { timeout: 10_000, interval: 20 },
  );
}
