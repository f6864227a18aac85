import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asTaskName } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import type { RequestReport } from "@tributary/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { back, crashes, ended } from "./crashed-room.ts";
import {
  bodyMaker,
  model,
  publishTask,
  rooms,
  weightsOf,
  type Body,
  type RoundDevice,
} from "./rounds-room.ts";

const task = asTaskName("digits");
const { open, dispose } = rooms();
const { imageOf, restart, dispose: disposeImages } = crashes();
afterEach(async () => {
  await disposeImages();
  await dispose();
});

/**
 * Four devices of a buffered task on version 1. Two are the first cohort, and one of them has reported; the others were carried
 * into the next one.
 */
async function interrupted() {
  const room = await open();
  await publishTask(room, {
    strategy: { name: "fedBuff" },
    evaluation: { dataset: null },
    mode: { type: "buffered", bufferSize: 2, maxStaleness: 2 },
    cohort: { goalCount: 2, minimumCount: 2 },
  });
  const make = await bodyMaker(room);
  const devices = await Promise.all(Array.from({ length: 4 }, () => room.device()));
  for (const device of devices) device.checkIn();
  const offers = await Promise.all(devices.map((device) => device.offer()));
  const bodies = [0.01, 0.03].map((value, i) => make(offers[i]!, { value, numExamples: i === 0 ? 30 : 10 }));
  for (const [i, body] of bodies.entries()) devices[i]!.ready(offers[i]!, body);
  const requests = await Promise.all(devices.slice(0, 2).map(({ socket }) => socket.next("request-report")));
  const [carried] = await Promise.all(devices.slice(2).map((device) => device.offer()));
  expect((await devices[0]!.put(requests[0]!, bodies[0]!)).status).toBe(202);
  return { room, devices, make, bodies, requests, first: offers[0]!.roundId, second: carried!.roundId };
}

async function put(device: RoundDevice, request: RequestReport, body: Body): Promise<void> {
  expect((await device.put(request, body)).status).toBe(202);
}

/** Every weight moved by so much. */
function expectStep(from: Float32Array, to: Float32Array, step: number): void {
  expect(Math.max(...from.map((value, i) => Math.abs(to[i]! - value - step)))).toBeLessThan(1e-6);
}

describe("cohorts of a buffer that a crash interrupted", () => {
  test("go on, each on its base: what was accepted counts once, and devices come back to the cohort they were in", async () => {
    const { room, devices, make, bodies, first, second } = await interrupted();
    const again = await restart(await imageOf(room.folder));
    const [, b, ...slow] = await Promise.all(devices.map((device) => back(again, device)));
    const request = await b!.socket.next("request-report");
    expect(request.roundId).toBe(first);
    await put(b!, request, bodies[1]!);
    expect(await ended(again, first)).toMatchObject({ cohort: 2, reported: 2, numExamples: 40 });
    await vi.waitFor(async () => expect((await again.registry.model(model)).currentVersion).toBe(2));
    expectStep(await weightsOf(again, 1), await weightsOf(again, 2), (0.01 * 30 + 0.03 * 10) / 40);

    // Those that were carried on train on from version 1, which is not the newest any more.
    await Promise.all(
      slow.map(async (device) => {
        const offer = await device.offer();
        expect(offer).toMatchObject({ roundId: second, baseVersion: 1 });
        const body = make(offer, { value: 0.02, numExamples: 10 });
        device.ready(offer, body);
        await put(device, await device.socket.next("request-report"), body);
      }),
    );
    await vi.waitFor(async () => expect((await again.registry.model(model)).currentVersion).toBe(3));
    expectStep(await weightsOf(again, 2), await weightsOf(again, 3), 0.02 / Math.sqrt(2));
    expect(await again.store.bufferedCohorts.list(task)).toMatchObject([
      { roundId: second, baseVersion: 1, staleness: 1, version: 3, updates: 2, numExamples: 20 },
      { roundId: first, baseVersion: 1, staleness: 0, version: 2, updates: 2, numExamples: 40 },
    ]);
  });

  test("are abandoned where their updates are lost or their base was replaced by another one's version", async () => {
    const { room, first, second } = await interrupted();
    const folder = await imageOf(room.folder);
    const uploads = join(folder, "uploads", first);
    const [name] = await readdir(uploads);
    await writeFile(join(uploads, name!), "scratched");
    const again = await restart(folder);
    expect(await ended(again, first)).toMatchObject({ phase: "abandoned", reason: "round/interrupted" });
    expect((await again.store.rounds.get(second))?.phase).toBe("training");
    await again.registry.publish(model, buildLinear({ seed: 2 }));
    expect(await ended(again, second)).toMatchObject({ phase: "abandoned", reason: "round/base-replaced" });
    expect(await again.store.bufferedCohorts.list(task)).toEqual([]);
  });
});
