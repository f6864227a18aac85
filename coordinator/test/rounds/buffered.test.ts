import { asTaskName, TributaryError } from "@tributary/core";
import { builtInStrategies, createStrategyRegistry } from "@tributary/aggregation";
import { parseTaskSpec, type Offer } from "@tributary/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import { strategyOf } from "@tributary/federation/planning";
import {
  bodyMaker,
  model,
  publishTask,
  rooms,
  startRoom,
  weightsOf,
  type Body,
  type Room,
  type RoundDevice,
} from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");

async function bufferedTask(room: Room, mode: object, more: Record<string, unknown> = {}): Promise<void> {
  await publishTask(room, {
    strategy: { name: "fedBuff" },
    evaluation: { dataset: null },
    ...more,
    mode: { type: "buffered", ...mode },
    cohort: { goalCount: 2, minimumCount: 2, ...(more["cohort"] as object) },
  });
}

async function devices(room: Room, count: number): Promise<RoundDevice[]> {
  const all = await Promise.all(Array.from({ length: count }, () => room.device()));
  for (const device of all) device.checkIn();
  return all;
}

/** From `ready` to the outcome, for an offer that was taken before. */
async function give(device: RoundDevice, offer: Offer, update: Body): Promise<unknown> {
  device.ready(offer, update);
  const request = await device.socket.next("request-report");
  expect(await device.put(request, update)).toMatchObject({ status: 202 });
  return device.socket.next("outcome");
}

async function versionIs(room: Room, version: number): Promise<void> {
  await vi.waitFor(async () => expect((await room.registry.model(model)).currentVersion).toBe(version), {
    timeout: 10_000,
    interval: 10,
  });
}

const strategies = createStrategyRegistry(builtInStrategies);
const TRIAL = { cohort: { goalCount: 3, minimumCount: 2 }, secureAggregation: { mode: "off" } };

/** Every weight moved by so much. */
function expectStep(from: Float32Array, to: Float32Array, step: number): void {
  expect(Math.max(...from.map((value, i) => Math.abs(to[i]! - value - step)))).toBeLessThan(1e-6);
}

const cohorts = (room: Room) => room.store.bufferedCohorts.list(task);

describe("a buffered task", () => {
  test("adds up cohorts on several versions by their staleness, while a slow device holds nothing up", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 2, maxStaleness: 2 });
    const body = await bodyMaker(room);
    const [a, b, slow, slower] = (await devices(room, 4)) as [
      RoundDevice,
      RoundDevice,
      RoundDevice,
      RoundDevice,
    ];
    const [offerA, offerB, offerSlow] = await Promise.all([
      a.offer(),
      b.offer(),
      slow.offer(),
      slower.offer(),
    ]);
    expect(new Set([offerA.roundId, offerB.roundId, offerSlow.roundId]).size).toBe(1);

    const outcomes = await Promise.all([
      give(a, offerA, body(offerA, { value: 0.01, numExamples: 30 })),
      give(b, offerB, body(offerB, { value: 0.03, numExamples: 10 })),
    ]);
    expect(outcomes).toMatchObject([{ result: "buffered" }, { result: "buffered" }]);
    // The slow ones were carried on to the next cohort on the same version, which they go on training for.
    const [carried, carriedToo] = await Promise.all([slow.offer(), slower.offer()]);
    expect(carried).toMatchObject({ baseVersion: 1, weightsDigest: offerA.weightsDigest });
    expect(carried.roundId).not.toBe(offerA.roundId);
    await versionIs(room, 2);
    const base = await weightsOf(room, 1);
    expectStep(base, await weightsOf(room, 2), (0.01 * 30 + 0.03 * 10) / 40);

    // The fast ones train from version 2 meanwhile; the slow ones' sum is one version old when it comes.
    const slowOutcomes = await Promise.all([
      give(slow, carried, body(carried, { value: 0.02, numExamples: 10 })),
      give(slower, carriedToo, body(carriedToo, { value: 0.02, numExamples: 10 })),
    ]);
    expect(slowOutcomes).toMatchObject([{ result: "buffered" }, { result: "buffered" }]);
    await versionIs(room, 3);
    expectStep(await weightsOf(room, 2), await weightsOf(room, 3), 0.02 / Math.sqrt(2));

    expect(await cohorts(room)).toMatchObject([
      { baseVersion: 1, staleness: 1, version: 3, updates: 2, numExamples: 20 },
      { baseVersion: 1, staleness: 0, version: 2, updates: 2, numExamples: 40 },
    ]);
    const rounds = await room.store.rounds.list(task);
    const made = rounds.filter(({ phase }) => phase === "committed");
    expect(made.map(({ version }) => version)).toEqual([3, 2]);
    expect(await room.store.rounds.countCommitted(task)).toBe(2);
    expect((await room.store.versions.get(model, 3 as never))?.strategy?.name).toBe("fedBuff");
    const cohortsOf = async (version: number) =>
      (await room.store.versions.get(model, version as never))?.lineage?.cohorts;
    expect(await cohortsOf(2)).toMatchObject([{ updates: 2, numExamples: 40, staleness: 0 }]);
    expect(await cohortsOf(3)).toMatchObject([{ updates: 2, numExamples: 20, staleness: 1 }]);
  });

  test("commits when its cohorts hold K updates, not before, and after a crash goes on with what is there", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 4 });
    const body = await bodyMaker(room);
    const pair = async (at: Room, value: number): Promise<void> => {
      const two = await devices(at, 2);
      await Promise.all(
        two.map(async (device) => {
          const offer = await device.offer();
          return give(device, offer, body(offer, { value }));
        }),
      );
      await Promise.all(two.map(({ socket }) => socket.close()));
    };
    await pair(room, 0.01);
    expect(await room.store.bufferedCohorts.pending(task)).toMatchObject([{ updates: 2, version: null }]);
    expect((await room.registry.model(model)).currentVersion).toBe(1);
    // What waits is not thrown away with blobs that nothing refers to.
    await collectBlobs({ store: room.store, blobs: room.blobs, now: Date.now() + 2 * UNUSED_KEPT_MS });
    await room.stop();

    const again = await startRoom(room.folder);
    try {
      await pair(again, 0.03);
      await versionIs(again, 2);
      const base = await weightsOf(again, 1);
      expectStep(base, await weightsOf(again, 2), 0.02);
      expect(await again.store.bufferedCohorts.pending(task)).toEqual([]);
      expect(await cohorts(again)).toMatchObject([
        { version: 2, staleness: 0 },
        { version: 2, staleness: 0 },
      ]);
    } finally {
      await again.stop();
    }
  });

  test("tells devices whose cohort cannot fill any more that they are superseded, and they train from the newest", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 2, maxStaleness: 3 });
    const body = await bodyMaker(room);
    const [a, b, left] = (await devices(room, 3)) as [RoundDevice, RoundDevice, RoundDevice];
    const [offerA, offerB, offerLeft] = await Promise.all([a.offer(), b.offer(), left.offer()]);
    await Promise.all([give(a, offerA, body(offerA)), give(b, offerB, body(offerB))]);
    await Promise.all([a, b].map(({ socket }) => socket.close()));
    const carried = await left.offer();
    await versionIs(room, 2);
    expect(offerLeft.baseVersion).toBe(1);
    // Alone on its base: nobody will join it there.
    left.ready(carried, body(carried));
    expect(await left.socket.next("outcome")).toMatchObject({
      roundId: carried.roundId,
      result: "superseded",
      code: "round/superseded",
    });
    const [other] = await devices(room, 1);
    expect(await Promise.all([left.offer(), other!.offer()])).toMatchObject([
      { baseVersion: 2 },
      { baseVersion: 2 },
    ]);
    await vi.waitFor(async () => expect(await room.store.rounds.countSuperseded(task)).toBe(1), 5_000);
  });

  test("drops its sums when somebody publishes another version", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 4 });
    const body = await bodyMaker(room);
    const [a, b] = (await devices(room, 2)) as [RoundDevice, RoundDevice];
    const [offerA, offerB] = await Promise.all([a.offer(), b.offer()]);
    await Promise.all([give(a, offerA, body(offerA)), give(b, offerB, body(offerB))]);
    expect(await room.store.bufferedCohorts.pending(task)).toHaveLength(1);
    const { buildLinear } = await import("@tributary/onnx");
    await room.registry.publish(model, buildLinear({ seed: 2 }));
    await vi.waitFor(async () => expect(await room.store.bufferedCohorts.pending(task)).toEqual([]), 5_000);
    expect(await room.store.rounds.get(offerA.roundId)).toMatchObject({
      phase: "abandoned",
      reason: "round/base-replaced",
    });
  });

  test("finishes after its rounds, of which each is a version", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 2 }, { rounds: 1 });
    const body = await bodyMaker(room);
    const [a, b] = (await devices(room, 2)) as [RoundDevice, RoundDevice];
    const [offerA, offerB] = await Promise.all([a.offer(), b.offer()]);
    await Promise.all([give(a, offerA, body(offerA)), give(b, offerB, body(offerB))]);
    await vi.waitFor(async () => expect((await room.registry.task(task)).state).toBe("finished"), 5_000);
    expect((await room.registry.model(model)).currentVersion).toBe(2);
  });

  test("compares the means of cohorts where its strategy compares: one hostile cohort of three moves nothing", async () => {
    const room = await open();
    await bufferedTask(room, { bufferSize: 5 }, { strategy: { name: "coordinateMedian" } });
    const body = await bodyMaker(room);
    for (const value of [0.01, 50, 0.03]) {
      const two = await devices(room, 2);
      await Promise.all(
        two.map(async (device) => {
          const offer = await device.offer();
          return give(device, offer, body(offer, { values: new Float32Array(7850).fill(value / 100) }));
        }),
      );
      await Promise.all(two.map(({ socket }) => socket.close()));
    }
    await versionIs(room, 2);
    const base = await weightsOf(room, 1);
    expectStep(base, await weightsOf(room, 2), 0.0003);
  });

  test.each([
    [
      { strategy: { name: "fedBuff" }, mode: { type: "synchronous" } },
      "/mode/type must be buffered with fedBuff",
    ],
    [
      { mode: { type: "buffered", bufferSize: 4 }, kind: "evaluate", rounds: 1 },
      "/mode/type must be synchronous for kind",
    ],
    [{ mode: { type: "buffered" } }, "/mode/bufferSize is needed by buffered"],
    [{ mode: { type: "synchronous", bufferSize: 3 } }, "/mode/bufferSize is not used"],
    [
      { mode: { type: "buffered", bufferSize: 4, concurrency: 1 } },
      "/mode/concurrency must be at least goalCount",
    ],
    [
      { mode: { type: "buffered", bufferSize: 6 }, strategy: { name: "krum" } },
      "/mode/bufferSize must be above 12, for 5 cohorts of up to 3",
    ],
    [
      { mode: { type: "buffered", bufferSize: 40 }, strategy: { name: "fedNova" } },
      "fedNova is ruled out by buffered mode",
    ],
  ])("is refused where its document does not fit: %o", (spec, expected) => {
    const document = { name: "digits", model, ...TRIAL, ...spec };
    let refusal: unknown;
    try {
      strategyOf(strategies, parseTaskSpec(document));
    } catch (error) {
      refusal = error;
    }
    if (!TributaryError.is(refusal)) throw new Error("it was not refused");
    expect(refusal.message).toContain(expected);
  });
});
