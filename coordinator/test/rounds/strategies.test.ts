import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  aggregateRobustly,
  applyStep,
  decodeState,
  fedAdam,
  fedNova,
  meanUpdate,
  multiKrum,
  type StrategyState,
} from "@tributary/aggregation";
import { asTaskName, TributaryError } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { parsePlan } from "@tributary/protocol";
import { parameterSet, type ParameterSet } from "@tributary/tensor";
import { afterEach, describe, expect, test, vi } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import {
  bodyMaker,
  model,
  playRound,
  publishTask,
  rooms,
  startRoom,
  weightsOf,
  type Room,
} from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");

async function parametersOf(room: Room, version: number): Promise<ParameterSet> {
  const { parameters } = await room.registry.model(model);
  return parameterSet(parameters, Float32Array.from(await weightsOf(room, version)));
}

const wave = (length: number, phase: number, size = 0.01): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(i + phase));

const single = { goalCount: 1, minimumCount: 1, overSelection: 1 };

describe("a server optimizer", () => {
  test("commits its state with the version, and goes on from it after a restart", async () => {
    const room = await open();
    const parameters = { learningRate: 0.02, beta1: 0.8 };
    await publishTask(room, { cohort: single, strategy: { name: "fedAdam", parameters } });
    const spec = (await room.registry.task(task)).spec;
    const complete = { name: "fedAdam", parameters: { ...parameters, tau: 1e-3, beta2: 0.99 } };
    expect(spec.strategy).toEqual(complete);

    const optimizer = fedAdam(parameters);
    let weights = await parametersOf(room, 1);
    let state: StrategyState = optimizer.init(weights);
    const expectRound = async (at: Room, phase: number): Promise<void> => {
      const update = wave(weights.values.length, phase);
      const version = await playRound(at, [update]);
      const next = optimizer.update(meanUpdate(weights.schema, Float64Array.from(update)), state);
      weights = applyStep(weights, next.step);
      state = next.state;
      expect((await parametersOf(at, version)).values).toEqual(weights.values);
      const stored = await at.store.optimizers.get(task);
      expect(stored?.version).toBe(version);
      const bytes = await at.blobs.bytes(stored!.state.digest);
      expect(decodeState("fedAdam", weights.schema, bytes)).toEqual(state);
      expect((await at.store.versions.get(model, version as never))?.strategy).toEqual(complete);
    };
    await expectRound(room, 1);
    await expectRound(room, 2);
    await room.stop();

    const again = await startRoom(room.folder);
    try {
      await expectRound(again, 3);
      // Unused blobs go; what versions came from is used.
      const later = { store: again.store, blobs: again.blobs, now: Date.now() + 2 * UNUSED_KEPT_MS };
      expect(await collectBlobs(later)).toBeGreaterThan(0);
      await expectRound(again, 4);
    } finally {
      await again.stop();
    }
  });

  test("begins anew when its version was replaced: its momentum was towards other weights", async () => {
    const room = await open();
    await publishTask(room, { cohort: single, strategy: { name: "fedAdam" } });
    const length = (await room.registry.model(model)).parameterCount;
    await playRound(room, [wave(length, 1)]);
    const published = await room.registry.publish(model, buildLinear({ seed: 9 }));
    const base = await parametersOf(room, published.version);
    const update = wave(length, 2);
    const version = await vi.waitFor(() => playRound(room, [update]), { timeout: 15_000 });
    const optimizer = fedAdam();
    const { step } = optimizer.update(
      meanUpdate(base.schema, Float64Array.from(update)),
      optimizer.init(base),
    );
    expect((await parametersOf(room, version)).values).toEqual(applyStep(base, step).values);
  });
});

describe("a robust rule", () => {
  test("reads the round's updates from disk, and leaves none behind", async () => {
    const room = await open();
    await publishTask(room, {
      cohort: { goalCount: 5, minimumCount: 5 },
      maxUpdateNorm: 1e6,
      strategy: { name: "multiKrum", parameters: { hostile: 1, learningRate: 0.5 } },
    });
    const base = await parametersOf(room, 1);
    const updates = [0, 0.1, 0.2, 0.3].map((phase) => wave(base.values.length, phase));
    updates.push(new Float32Array(base.values.length).fill(500));
    const version = await playRound(room, updates);
    // Devices report in any order: the mean of the kept ones may differ in the last place.
    const expected = aggregateRobustly(multiKrum({ hostile: 1 }), updates);
    (await weightsOf(room, version)).forEach((value, i) =>
      expect(value).toBeCloseTo(base.values[i]! + 0.5 * expected[i]!, 6),
    );
    expect((await room.store.versions.get(model, version as never))?.cohort).toBe(5);
    await vi.waitFor(async () => expect(await readdir(join(room.folder, "uploads"))).toEqual([]));
  });

  test("leaves none behind in a round that is abandoned either", async () => {
    const room = await open();
    await publishTask(room, {
      cohort: { goalCount: 2, minimumCount: 2 },
      strategy: { name: "coordinateMedian" },
    });
    const body = await bodyMaker(room);
    const devices = await Promise.all([room.device(), room.device()]);
    for (const device of devices) device.checkIn();
    const offers = await Promise.all(devices.map((device) => device.offer()));
    const bodies = offers.map((offer) => body(offer));
    devices.forEach((device, i) => device.ready(offers[i]!, bodies[i]!));
    const [request] = await Promise.all(devices.map(({ socket }) => socket.next("request-report")));
    expect(await devices[0]!.put(request!, bodies[0]!)).toMatchObject({ status: 202 });
    const uploads = (): Promise<string[]> => readdir(join(room.folder, "uploads"));
    expect(await uploads()).toHaveLength(1);
    await room.registry.changeTask(task, { state: "paused" });
    await vi.waitFor(async () => expect(await uploads()).toEqual([]));
  });
});

test("fedNova divides by the steps of the plan", async () => {
  const room = await open();
  await publishTask(room, {
    cohort: { goalCount: 2, minimumCount: 2 },
    local: { epochs: 2, batchSize: 10 },
    strategy: { name: "fedNova" },
  });
  const base = await parametersOf(room, 1);
  const numExamples = [5, 95];
  const updates = [1, 2].map((phase) => wave(base.values.length, phase));
  const version = await playRound(room, updates, numExamples);
  const state = fedNova.init(base.values.length);
  updates.forEach((update, i) => {
    const share = { numExamples: numExamples[i]!, norm: [2, 20][i]! };
    fedNova.accumulateChunk(state, 0, update, share);
    fedNova.countUpdate(state, share);
  });
  const expected = fedNova.mean(state);
  (await weightsOf(room, version)).forEach((value, i) =>
    expect(value).toBeCloseTo(base.values[i]! + expected[i]!, 6),
  );
});

test("the plan has the local optimizer, the proximal term and the schedule of the learning rate", async () => {
  const room = await open();
  const learningRateSchedule = { kind: "step", factor: 0.5, everyRounds: 10 } as const;
  await publishTask(room, {
    local: { optimizer: { kind: "adam" }, proximalTerm: 0.01, learningRateSchedule },
  });
  const { plan } = await room.registry.task(task);
  const { training, local } = parsePlan(await room.blobs.bytes(plan.digest));
  expect(training.spec.state?.length).toBeGreaterThan(2 * training.spec.parameters.length - 1);
  expect(training.spec.baseParameters).toHaveLength(training.spec.parameters.length);
  expect(local.learningRateSchedule).toEqual(learningRateSchedule);
});

test("a schedule counts the steps of its task: a round that was abandoned is none", async () => {
  const room = await open();
  await publishTask(room, { cohort: single });
  const body = await bodyMaker(room);
  const device = await room.device();
  device.checkIn();
  expect(await device.offer()).toMatchObject({ round: 1, trainingRound: 1 });
  await room.registry.changeTask(task, { state: "paused" });
  await device.socket.next("outcome");
  await room.registry.changeTask(task, { state: "running" });
  expect(await device.report((offer) => body(offer))).toMatchObject({ round: 2, trainingRound: 1 });
  expect(await device.offer()).toMatchObject({ round: 3, trainingRound: 2 });
});

test.each([
  [{ strategy: { name: "fedAdem" } }, "aggregation/invalid-strategy", "/strategy/name"],
  [
    { strategy: { name: "fedAdam", parameters: { beta2: 2 } } },
    "aggregation/invalid-strategy",
    "/strategy/parameters/beta2",
  ],
  [{ strategy: { name: "krum" } }, "aggregation/incompatible-strategy", "/cohort/minimumCount"],
  [
    { strategy: { name: "fedNova" }, local: { optimizer: { kind: "adam" } } },
    "aggregation/incompatible-strategy",
    "/local/optimizer",
  ],
])("a task with %o is refused", async (spec, code, path) => {
  const room = await open();
  const error = await publishTask(room, spec).catch((reason: unknown) => reason);
  if (!TributaryError.is(error)) throw error;
  expect(error.code).toBe(code);
  expect(error.detail["path"]).toBe(path);
  expect(await room.store.tasks.list()).toEqual([]);
});
