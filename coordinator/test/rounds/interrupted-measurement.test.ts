import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asModelVersion, asTaskName, type Digest } from "@tributary/core";
import { addMetrics, createMetrics, pairedMetrics, pairedVector } from "@tributary/metrics";
import { buildLinear } from "@tributary/onnx";
import { encodeUpdate, metricsDigest, parseMeasurementPlan } from "@tributary/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { back, crashes, ended } from "./crashed-room.ts";
import { model, rooms, type Body } from "./rounds-room.ts";

const task = asTaskName("digits");
const { open, dispose } = rooms();
const { imageOf, restart, dispose: disposeImages } = crashes();
afterEach(async () => {
  await disposeImages();
  await dispose();
});

/** `better` of ten examples are right with the candidate only. */
function vectorOf(better: number): Float32Array<ArrayBuffer> {
  const examples = Array.from({ length: 10 }, (_, i) => i);
  const vector = pairedVector(
    examples.map((i) => ({ loss: 1 + i / 100, correct: i >= better })),
    examples.map((i) => ({ loss: 1 - i / 100, correct: true })),
    { maxLoss: 1000, maxDifference: 10 },
  );
  return Float32Array.from(vector);
}

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
      const plan = parseMeasurementPlan(await room.blobs.bytes(offer.planDigest));
      const bytes = encodeUpdate(
        {
          roundId: offer.roundId,
          task,
          schemaDigest: metricsDigest(plan.metrics),
          numExamples: 10,
          metrics: [],
        },
        vectorOf(i),
      );
      const digest = createHash("sha256").update(bytes).digest("hex") as Digest;
      const body: Body = { bytes, digest, numExamples: 10 };
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
    for (const better of [0, 1, 2]) addMetrics(sum, vectorOf(better));
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
});
