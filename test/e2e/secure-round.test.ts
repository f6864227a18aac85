import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, type RoundView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { createLogger, systemClock } from "@tributary/core";
import { buildLinear, splitWeights } from "@tributary/onnx";
import type { ParticipationEvent, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { addVector, decodeSum, packVector, SpendableVector, type EncodingPlan } from "@tributary/secagg";
import { parametersFromSafetensors } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

/** What devices encoded, in this process: nobody else ever has it. */
const encoded = vi.hoisted(() => [] as { plan: EncodingPlan; codes: Uint32Array; weight: number }[]);

vi.mock("@tributary/secagg", async (importOriginal) => {
  const original = await importOriginal<typeof import("@tributary/secagg")>();
  return {
    ...original,
    encodeContribution(...args: Parameters<typeof original.encodeContribution>) {
      const [plan, { weight }] = args;
      const { vector, clamped } = original.encodeContribution(...args);
      const codes = vector.spend();
      encoded.push({ plan, codes: codes.slice(), weight });
      return { vector: new SpendableVector(codes), clamped };
    },
  };
});

const POPULATION = "default" as never;
const MODEL = buildLinear({ seed: 1 });
let folder: ReturnType<typeof temporaryFolder>;
let opened = new AsyncDisposableStack();
let coordinator: Coordinator;
let api: ReturnType<typeof createApiClient>;
const logged: string[] = [];

beforeEach(async () => {
  opened = new AsyncDisposableStack();
  folder = temporaryFolder();
  opened.defer(() => folder.remove());
  encoded.length = 0;
  logged.length = 0;
  const write = (line: unknown): void => void logged.push(JSON.stringify(line));
  coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
    env: { log: createLogger({ level: "debug", clock: systemClock, write }) },
  });
  opened.defer(() => coordinator.close());
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", MODEL);
});
afterEach(() => opened.disposeAsync());

async function createTask(devices: number, more: Record<string, unknown> = {}): Promise<void> {
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 1,
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 60 },
    cohort: { goalCount: devices, minimumCount: 3, overSelection: 1, trainDeadlineMs: 30_000 },
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 4_000, ...more },
  } as never);
}

/** Closes a device, as a tab that is shut, on something that happens to it. */
type Fate = (event: ParticipationEvent) => boolean;

interface Device {
  readonly events: ParticipationEvent[];
  readonly runtime: Runtime;
}

async function startDevices(fates: readonly (Fate | undefined)[], minimumCohort?: number): Promise<Device[]> {
  return Promise.all(
    fates.map(async (fate, i) => {
      const runtime = await createRuntime({
        coordinator: coordinator.url,
        trust: { root: coordinator.tufRoot, ...(minimumCohort === undefined ? {} : { minimumCohort }) },
        token: () => coordinator.mintEnrolmentToken(POPULATION),
        dataDir: join(folder.path, `device-${i}`),
      });
      opened.defer(() => runtime.close());
      const model = await runtime.model("digits");
      await model.examples.addAll(
        Array.from({ length: 20 + i }, (_, n) => ({
          image: Float32Array.from({ length: 784 }, (_pixel, p) => ((p * 7 + n * 13 + i) % 29) / 29),
          label: (n + i) % 10,
        })),
      );
      const events: ParticipationEvent[] = [];
      const participation = runtime.participate({ consent: true, task: "digits" });
      void (async () => {
        for await (const event of participation.events()) {
          events.push(event);
          if (fate?.(event) === true) void runtime.close();
        }
      })();
      return { events, runtime };
    }),
  );
}

async function endedRound(): Promise<RoundView> {
  return vi.waitFor(
    async () => {
      const round = (await api.rounds("digits"))[0];
      expect(round?.endedAt).toBeTypeOf("string");
      return round!;
    },
    { timeout: 40_000, interval: 50 },
  );
}

async function weightsOf(version: number): Promise<Float32Array> {
  const found = (await api.versions("digits")).find((each) => each.version === version)!;
  const bytes = await (await fetch(`${coordinator.url}/v1/blobs/${found.weightsDigest}`)).arrayBuffer();
  return parametersFromSafetensors(splitWeights(MODEL).parameters.schema, new Uint8Array(bytes)).values;
}

/** Examples of device `i`: they tell its encoding from the others'. */
const examplesOf = (i: number): number => 20 + i;

function encodedBy(devices: readonly number[]): typeof encoded {
  return devices.map((i) => encoded.find(({ weight }) => weight === examplesOf(i))!);
}

/** What the coordinator must commit: base + the mean that the survivors' summed codes decode to. */
function expectedWeights(base: Float32Array, survivors: typeof encoded): Float32Array {
  const { plan } = survivors[0]!;
  const sum = new Uint32Array(plan.vectorLength);
  for (const { codes } of survivors) addVector(sum, codes);
  const [update, counts] = decodeSum(plan, sum, survivors.length);
  return base.map((value, i) =>
    Math.fround(value + Math.fround((update![i]! * plan.spec.maxWeight) / counts![0]!)),
  );
}

/** Every file that the coordinator keeps, and everything it logged. */
async function everythingKept(): Promise<Buffer[]> {
  const files = await readdir(join(folder.path, "coordinator"), { recursive: true, withFileTypes: true });
  const contents = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name)));
  return [...(await Promise.all(contents)), Buffer.from(logged.join("\n"))];
}

test("seven devices, one killed before it masks and one after: the round commits the sum of the survivors' encodings bit for bit, and nothing that the coordinator stored or logged holds a single update", async () => {
  await createTask(7);
  const devices = await startDevices(
    [
      ...Array.from({ length: 5 }, () => undefined),
      (event) => event.type === "secured",
      (event) => event.type === "uploaded",
    ],
    3,
  );
  const round = await endedRound();
  expect(round).toMatchObject({
    phase: "committed",
    cohort: 7,
    reported: 6,
    dropouts: 1,
    version: 2,
    secure: { step: "unmask", cohort: 7, threshold: 5, survivors: 6, private: false, unmasked: 1 },
  });
  const survivors = [0, 1, 2, 3, 4, 6];
  expect(round.numExamples).toBe(survivors.reduce((sum, i) => sum + examplesOf(i), 0));
  expect(round.trainLoss).toBeGreaterThan(0);
  expect(await weightsOf(2)).toEqual(expectedWeights(await weightsOf(1), encodedBy(survivors)));
  for (const { events } of devices.slice(0, 5)) {
    await vi.waitFor(() =>
      expect(events).toContainEqual(expect.objectContaining({ type: "outcome", result: "committed" })),
    );
    expect(events).toContainEqual(expect.objectContaining({ type: "secured", cohort: 7, private: false }));
  }

  const kept = await everythingKept();
  // What is kept is found: the version that came out.
  const committed = Buffer.from((await weightsOf(2)).slice(0, 64).buffer);
  expect(kept.some((bytes) => bytes.includes(committed))).toBe(true);
  expect(encoded).toHaveLength(7);
  for (const { plan, codes } of encoded) {
    const packed = Buffer.from(packVector(codes, plan.segments));
    // Any piece of it gives it away.
    const pieces = [packed.subarray(0, 32), packed.subarray(5_000, 5_032)];
    for (const bytes of kept) for (const piece of pieces) expect(bytes.includes(piece)).toBe(false);
  }
  expect(await readdir(join(folder.path, "coordinator", "uploads"))).toEqual([]);
});

test("below the threshold nothing comes out, and every device says so", async () => {
  await createTask(5);
  const dies: Fate = (event) => event.type === "secured";
  const devices = await startDevices([undefined, undefined, undefined, dies, dies], 3);
  expect(await endedRound()).toMatchObject({
    phase: "abandoned",
    reason: "secagg/below-threshold",
    version: null,
    numExamples: 0,
    secure: { threshold: 4 },
  });
  for (const { events } of devices.slice(0, 3)) {
    await vi.waitFor(() =>
      expect(events).toContainEqual(
        expect.objectContaining({ type: "outcome", result: "abandoned", code: "secagg/below-threshold" }),
      ),
    );
  }
});

test("a device whose app has not lowered its floor does not train for a cohort below sixteen", async () => {
  await createTask(3);
  const [device] = await startDevices([undefined, undefined, undefined]);
  await vi.waitFor(
    () =>
      expect(device!.events).toContainEqual(
        expect.objectContaining({ type: "failed", code: "secagg/cohort-too-small" }),
      ),
    { timeout: 20_000 },
  );
  expect(device!.events.some(({ type }) => type === "trained")).toBe(false);
});
