import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asModelVersion, asTaskName } from "@tributary/core";
import { addMetrics, createMetrics, pairedMetrics } from "@tributary/metrics";
import { buildLinear } from "@tributary/onnx";
import { afterEach, describe, expect, test } from "vitest";
import { back, crashes, ended } from "./crashed-room.ts";
import { bodyOf, HELD_OUT_SHARE, paired, planOf, split } from "./measuring-devices.ts";
import { bodyMaker, model, publishTask, rooms } from "./rounds-room.ts";

const task = asTaskName("digits");
const { open, dispose } = rooms();
const { imageOf, restart, dispose: disposeImages } = crashes();
afterEach(async () => {
  await disposeImages();
  await dispose();
});

/** Three devices that measure two versions; each of them is asked for its vector, and the first two have sent it. */
async function interrupted() {
  const room = await open();
  for (const seed of [1, 2]) await room.registry.publish(model, buildLinear({ seed }));
  await room.registry.release(model, asModelVersion(1));
  await room.registry.createTask({
    name: "digits",
    model,
    kind: "evaluate",
    candidate: "newest",
    rounds: 1,
    secureAggregation: { mode: "off" },
    cohort: {
      goalCount: 3,
      minimumCount: 2,
      overSelection: 1,
      trainDeadlineMs: 20_000,
      reportDeadlineMs: 10_000,
    },
  });
  const devices = await Promise.all([room.device(), room.device(), room.device()]);
  for (const device of devices) device.checkIn();
  const told = await Promise.all(
    devices.map(async (device, i) => {
      const offer = await device.socket.next("offer-measurement");
      const body = bodyOf(offer, await planOf(room, offer), paired(i, 0));
      device.ready(offer, body);
      return { offer, body, request: await device.socket.next("request-report") };
    }),
  );
  for (const [i, { request, body }] of told.slice(0, 2).entries())
    expect((await devices[i]!.put(request, body)).status).toBe(202);
  return { room, devices, told, roundId: told[0]!.offer.roundId };
}

describe("a round of measurements that a crash interrupted", () => {
  test("goes on: what was told counts once, whoever had not told is asked again", async () => {
    const { room, devices, told, roundId } = await interrupted();
    // The newest version is another one now, and what the round compares is what it began with.
    const again = await restart(await imageOf(room.folder));
    await again.registry.publish(model, buildLinear({ seed: 3 }));
    const third = await back(again, devices[2]!);
    const request = await third.socket.next("request-report");
    expect(request).toEqual(told[2]!.request);
    expect((await third.put(request, told[2]!.body)).status).toBe(202);
    expect(await ended(again, roundId)).toMatchObject({
      phase: "committed",
      purpose: "evaluate",
      reported: 3,
      numExamples: 30,
      bytesUp: 3 * told[0]!.body.bytes.length,
    });
    const sum = createMetrics(pairedMetrics);
    for (const better of [0, 1, 2]) addMetrics(sum, Float32Array.from(paired(better, 0)));
    const [stored] = await again.store.measurements.list(task);
    expect(stored).toMatchObject({ roundId, version: 1, candidate: 2, devices: 3, sums: [...sum] });
  });

  test("is abandoned where a vector that counted is not there any more", async () => {
    const { room, roundId } = await interrupted();
    const folder = await imageOf(room.folder);
    const uploads = join(folder, "uploads", roundId);
    const names = await readdir(uploads);
    expect(names).toHaveLength(2);
    await rm(join(uploads, names[1]!));
    const again = await restart(folder);
    expect(await ended(again, roundId)).toMatchObject({
      phase: "abandoned",
      reason: "round/interrupted",
      reported: 2,
    });
    expect(await again.store.measurements.list(task)).toEqual([]);
    expect(await readdir(join(folder, "uploads"))).not.toContain(roundId);
  });

  test.each([
    ["a synchronous task", {}],
    ["a buffered task", { mode: { type: "buffered", bufferSize: 2 }, strategy: { name: "fedBuff" } }],
  ])("goes on where it is the gate of %s, and decides on what was told before and after", async (_, mode) => {
    const room = await open();
    await publishTask(room, {
      gate: { metric: "accuracy", heldOutShare: HELD_OUT_SHARE, minimumDevices: 2, confidence: 0.9 },
      release: "on-gate",
      evaluation: { dataset: null },
      cohort: { goalCount: 2 },
      ...mode,
    });
    const { training, heldOut } = await split(room, 2, 2);
    const make = await bodyMaker(room);
    await Promise.all(training.map((device) => device.report((offer) => make(offer, { value: 0.001 }))));
    const told = await Promise.all(
      heldOut.map(async (device) => {
        const offer = await device.socket.next("offer-measurement");
        const body = bodyOf(offer, await planOf(room, offer), paired(6, 0));
        device.ready(offer, body);
        return { offer, body, request: await device.socket.next("request-report") };
      }),
    );
    const { offer, body, request } = told[0]!;
    expect((await heldOut[0]!.put(request, body)).status).toBe(202);
    const again = await restart(await imageOf(room.folder));
    const second = await back(again, heldOut[1]!);
    const repeated = await second.socket.next("request-report");
    expect(repeated.roundId).toBe(offer.roundId);
    expect((await second.put(repeated, told[1]!.body)).status).toBe(202);
    expect(await ended(again, offer.roundId)).toMatchObject({
      phase: "committed",
      purpose: "gate",
      reported: 2,
    });
    expect((await again.store.versions.get(model, asModelVersion(2)))?.gate).toMatchObject({
      result: "passed",
      devices: 2,
      examples: 20,
    });
    expect((await again.registry.model(model)).releasedVersion).toBe(2);
    // It was not begun a second time meanwhile.
    const gates = (await again.store.rounds.list(task)).filter(({ purpose }) => purpose === "gate");
    expect(gates.map(({ id }) => id)).toEqual([offer.roundId]);
  });
});
