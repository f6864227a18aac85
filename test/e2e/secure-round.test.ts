import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, type RoundView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { createLogger, seededRandom, systemClock } from "@tributary/core";
import { buildLinear, splitWeights } from "@tributary/onnx";
import { SECURE_STEPS, type SecureStepName } from "@tributary/protocol";
import type { ParticipationEvent, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { addVector, decodeSum, packVector, type EncodingPlan } from "@tributary/secagg";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { Browser } from "playwright";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { launchChromium, openDemo, SEVEN, teach } from "../src/demo-page.ts";
import type { DoomedDevice } from "../src/doomed-device.ts";
import { buildRecordedDemo, recordEncodings, serveDemo } from "../src/recorded-demo.ts";
import type { Encoded } from "../src/recording-secagg.ts";
import { examplesOf, giveDigits } from "../src/secure-device.ts";

/** What devices encoded, in their own processes: the coordinator never has it. */
const encoded = vi.hoisted(() => [] as Encoded[]);
const plans = vi.hoisted(() => [] as EncodingPlan[]);

vi.mock("@tributary/secagg", async (importOriginal) => {
  const original = await importOriginal<typeof import("@tributary/secagg")>();
  const encodeContribution: typeof original.encodeContribution = (plan, contribution, random) => {
    const update = Float32Array.from(contribution.values[0]!);
    const { vector, clamped } = original.encodeContribution(plan, contribution, random);
    const codes = vector.spend();
    encoded.push({ weight: contribution.weight, update, codes: codes.slice() });
    plans.push(plan);
    return { vector: new original.SpendableVector(codes), clamped };
  };
  return { ...original, encodeContribution };
});

const POPULATION = "default" as never;
const MODEL = buildLinear({ seed: 1 });
let folder: ReturnType<typeof temporaryFolder>;
let opened = new AsyncDisposableStack();
let coordinator: Coordinator | undefined;
let api: ReturnType<typeof createApiClient>;
const logged: string[] = [];

beforeEach(async () => {
  opened = new AsyncDisposableStack();
  folder = temporaryFolder();
  opened.defer(() => folder.remove());
  encoded.length = 0;
  plans.length = 0;
  logged.length = 0;
});
afterEach(() => opened.disposeAsync());

async function start(allowOrigins: string[] = []): Promise<Coordinator> {
  const write = (line: unknown): void => void logged.push(JSON.stringify(line));
  const started = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
    allowOrigins: { [POPULATION]: allowOrigins },
    env: { log: createLogger({ level: "debug", clock: systemClock, write }) },
  });
  coordinator = started;
  opened.defer(() => started.close());
  api = createApiClient({ baseUrl: started.url, token: started.operatorToken });
  await api.publishModel("digits", MODEL);
  return started;
}

async function createTask(
  devices: number,
  more: Record<string, unknown> = {},
  cohort: Record<string, unknown> = {},
): Promise<void> {
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 1,
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 60 },
    cohort: { goalCount: devices, minimumCount: 3, overSelection: 1, trainDeadlineMs: 60_000, ...cohort },
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 4_000, ...more },
    stepPrecision: "float32",
  } as never);
}

/** Closes a device, as a tab that is shut, on something that happens to it. */
type Fate = (event: ParticipationEvent) => boolean;

interface Device {
  readonly events: ParticipationEvent[];
  readonly runtime: Runtime;
}

async function startDevices(
  started: Coordinator,
  fates: readonly (readonly [device: number, fate?: Fate])[],
  trust: { readonly minimumCohort?: number; readonly requireSecureAggregation?: boolean } = {},
): Promise<Device[]> {
  return Promise.all(
    fates.map(async ([i, fate]) => {
      const runtime = await createRuntime({
        coordinator: started.url,
        trust: { root: started.tufRoot, ...trust },
        token: () => started.mintEnrolmentToken(POPULATION),
        dataDir: join(folder.path, `device-${i}`),
      });
      opened.defer(() => runtime.close());
      await giveDigits(runtime, i);
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
      const round = (await api.rounds("digits")).rounds[0];
      expect(round?.endedAt).toBeTypeOf("string");
      return round!;
    },
    { timeout: 40_000, interval: 50 },
  );
}

async function weightsOf(version: number): Promise<Float32Array> {
  const found = (await api.versions("digits")).versions.find((each) => each.version === version)!;
  const bytes = await (await fetch(`${coordinator!.url}/v1/blobs/${found.weightsDigest}`)).arrayBuffer();
  return parametersFromSafetensors(splitWeights(MODEL).parameters.schema, new Uint8Array(bytes)).values;
}

/** A device in a process of its own that is killed when it is about to make this step. */
async function startDoomed(
  started: Coordinator,
  device: number,
  diesAt: SecureStepName,
): Promise<{ readonly killed: Promise<unknown> }> {
  const options: DoomedDevice = {
    coordinator: started.url,
    root: Buffer.from(started.tufRoot).toString("base64"),
    token: await started.mintEnrolmentToken(POPULATION),
    dataDir: join(folder.path, `device-${device}`),
    device,
    diesAt,
  };
  const child = fork(join(import.meta.dirname, "../src/doomed-device.ts"), [JSON.stringify(options)], {
    execArgv: ["--conditions=@tributary/source"],
    serialization: "advanced",
  });
  opened.defer(() => void child.kill("SIGKILL"));
  child.on("message", (message) => encoded.push(message as Encoded));
  return { killed: once(child, "exit") };
}

/** What the coordinator must commit: base + the mean that the survivors' summed codes decode to. */
function expectedWeights(base: Float32Array, survivors: readonly Encoded[]): Float32Array {
  const plan = plans[0]!;
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

const NODE_DEVICES = 24;
const PAGES = 2;
const MEMBERS = NODE_DEVICES + PAGES;

test("24 Node devices and two pages, every seventh device killed at a random step: the round commits the sum of the survivors' encodings bit for bit, and nothing that the coordinator stored or logged holds a single update", async () => {
  const site = join(folder.path, "demo");
  await buildRecordedDemo(site);
  const demo = await serveDemo(site, {
    config: (name) =>
      coordinator && {
        coordinator: `http://${name}:${coordinator.port}`,
        population: POPULATION,
        model: "digits",
        task: "digits",
        minimumCohort: 16,
      },
    trustedRoot: () => coordinator!.tufRoot,
    mintToken: () => coordinator!.mintEnrolmentToken(POPULATION),
  });
  opened.defer(() => demo.close());
  const started = await start([demo.url]);
  const browser: Browser = await launchChromium();
  opened.defer(() => browser.close());

  // Seeded: which step each of them does not live to make.
  const random = seededRandom("every seventh device");
  const doomed = new Map<number, SecureStepName>();
  for (let i = 6; i < NODE_DEVICES; i += 7) doomed.set(i, SECURE_STEPS[random.integer(SECURE_STEPS.length)]!);
  console.log(`killed: ${Array.from(doomed, ([i, step]) => `device ${i} at ${step}`).join(", ")}`);
  const others = Array.from({ length: NODE_DEVICES }, (_, i) => i).filter((i) => !doomed.has(i));
  const dead = Promise.all(
    Array.from(doomed, async ([i, step]) => (await startDoomed(started, i, step)).killed),
  );
  const devices = await startDevices(
    started,
    others.map((i) => [i] as const),
  );
  for (let page = 0; page < PAGES; page++) {
    const context = await browser.newContext();
    await recordEncodings(context, (each) => encoded.push(each));
    const opening = await openDemo(context, demo.url);
    // Their weights: two and three examples.
    await teach(opening, SEVEN, 7, 2 + page);
    await opening.getByTestId("consent").getByRole("switch").click();
  }
  await createTask(MEMBERS, { minimumCohort: 16 });
  const round = await endedRound();
  expect((await dead).map((exit) => (exit as unknown[])[1])).toEqual([...doomed].map(() => "SIGKILL"));

  const masked = (step: SecureStepName | undefined): boolean =>
    step === undefined || step === "sign" || step === "unmask";
  const survivors = [
    ...Array.from({ length: NODE_DEVICES }, (_, i) => i)
      .filter((i) => masked(doomed.get(i)))
      .map(examplesOf),
    ...Array.from({ length: PAGES }, (_, page) => 2 + page),
  ];
  // Some of each, or the seed says little.
  expect(survivors.length).toBeLessThan(MEMBERS);
  expect([...doomed.values()].some(masked)).toBe(true);
  expect(round).toMatchObject({
    phase: "committed",
    cohort: MEMBERS,
    reported: survivors.length,
    dropouts: MEMBERS - survivors.length,
    version: 2,
    // Each is hidden in a sum of at least 18, two thirds of them.
    secure: { step: "unmask", cohort: MEMBERS, threshold: 18, survivors: survivors.length, private: true },
  });
  expect(round.numExamples).toBe(survivors.reduce((sum, weight) => sum + weight, 0));
  expect(round.trainLoss).toBeGreaterThan(0);
  expect(encoded).toHaveLength(MEMBERS);
  const summed = survivors.map((examples) => encoded.find(({ weight }) => weight === examples)!);
  expect(await weightsOf(2)).toEqual(expectedWeights(await weightsOf(1), summed));
  for (const { events } of devices) {
    await vi.waitFor(() =>
      expect(events).toContainEqual(expect.objectContaining({ type: "outcome", result: "committed" })),
    );
    const secured = expect.objectContaining({ type: "secured", cohort: MEMBERS, private: true });
    expect(events).toContainEqual(secured);
    expect(events).toContainEqual(expect.objectContaining({ type: "uploaded", masked: true }));
  }

  const kept = await everythingKept();
  // What is kept is found: the version that came out.
  const committed = Buffer.from((await weightsOf(2)).slice(0, 64).buffer);
  expect(kept.some((bytes) => bytes.includes(committed))).toBe(true);
  for (const { weight, codes, update } of encoded) {
    const forms = [
      packVector(codes, plans[0]!.segments),
      new Uint8Array(codes.buffer),
      new Uint8Array(update.buffer),
    ];
    for (const form of forms) {
      // Any piece of it gives it away. A device of few examples has codes near zero, so that short ones say little;
      // zeros, where a drawing has its margin, are everywhere.
      const pieces = Array.from({ length: Math.floor(form.length / 256) }, (_, i) => 256 * i)
        .map((at) => Buffer.from(form.subarray(at, at + 256)))
        .filter((piece) => new Set(piece).size > 3)
        .slice(0, 4);
      expect(pieces.length, `pieces of the device with ${weight} examples`).toBeGreaterThan(0);
      for (const bytes of kept) for (const piece of pieces) expect(bytes.includes(piece)).toBe(false);
    }
  }
  expect(await readdir(join(folder.path, "coordinator", "uploads"))).toEqual([]);
});

test("below the threshold nothing comes out, and every device says so", async () => {
  const started = await start();
  await createTask(5);
  const dies: Fate = (event) => event.type === "secured";
  const devices = await startDevices(started, [[0], [1], [2], [3, dies], [4, dies]], { minimumCohort: 3 });
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
  const started = await start();
  await createTask(3);
  const [device] = await startDevices(started, [[0], [1], [2]]);
  await vi.waitFor(
    () =>
      expect(device!.events).toContainEqual(
        expect.objectContaining({ type: "failed", code: "secagg/cohort-too-small" }),
      ),
    { timeout: 20_000 },
  );
  expect(device!.events.some(({ type }) => type === "trained")).toBe(false);
});

test("a device whose app insists on secure aggregation does not train for a task that opted out", async () => {
  const started = await start();
  await createTask(1, { mode: "off" }, { minimumCount: 1 });
  const [device] = await startDevices(started, [[0]], { requireSecureAggregation: true });
  await vi.waitFor(
    () =>
      expect(device!.events).toContainEqual(
        expect.objectContaining({ type: "failed", code: "secagg/required" }),
      ),
    { timeout: 20_000 },
  );
  expect(device!.events.some(({ type }) => type === "trained")).toBe(false);
  // Another one trains, and hears that its update was seen.
  const [other] = await startDevices(started, [[1]]);
  await vi.waitFor(
    () => expect(other!.events).toContainEqual(expect.objectContaining({ type: "uploaded", masked: false })),
    { timeout: 20_000 },
  );
});
