import { builtInStrategies, createStrategyRegistry } from "@tributary/aggregation";
import { asTaskName, TributaryError, type Digest } from "@tributary/core";
import { readExampleTable } from "@tributary/engine/examples";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { rootUpdate } from "@tributary/engine/training";
import { bufferMean } from "@tributary/federation/aggregation";
import { strategyOf } from "@tributary/federation/planning";
import { parsePlan, parseTaskSpec } from "@tributary/protocol";
import { parameterSet, tensor, writeSafetensors } from "@tributary/tensor";
import { afterEach, expect, test, vi } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import { bodyMaker, model, publishTask, rooms, weightsOf, type Room } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const COUNT = 12;

function trustedFile(changes: { readonly labels?: Int32Array; readonly size?: number } = {}): Uint8Array {
  const { labels = Int32Array.from({ length: COUNT }, (_, i) => (3 * i) % 10), size = 784 } = changes;
  const images = Uint8Array.from({ length: COUNT * size }, (_, i) => (i * 53 + (i >> 6)) % 256);
  return writeSafetensors([
    ["images", tensor("uint8", [COUNT, size], images)],
    ["labels", tensor("int32", [COUNT], labels)],
  ]);
}

const put = async (room: Room, bytes: Uint8Array): Promise<Digest> => (await room.blobs.put(bytes)).digest;

/** The server's own update of a round, trained here. */
async function ownUpdate(room: Room, roundId: string, version: number): Promise<Float32Array> {
  const { plan: ref, spec } = await room.registry.task(task);
  const plan = parsePlan(await room.blobs.bytes(ref.digest));
  const target = await room.store.releases.target(plan.training.target);
  const engine = await createOrtNodeEngine();
  try {
    const { update } = await rootUpdate({
      session: await engine.load(await room.blobs.bytes(target!.digest)),
      spec: plan.training.spec,
      layout: plan.update,
      base: parameterSet(plan.parameters, Float32Array.from(await weightsOf(room, version))),
      data: readExampleTable(await room.blobs.bytes(spec.strategy.trustedDataset!)),
      inputs: ["image"],
      epochs: plan.local.epochs,
      learningRate: plan.local.learningRate,
      maxExamples: plan.local.maxExamples,
      seed: roundId,
    });
    return update;
  } finally {
    await engine.close();
  }
}

/** Section 3 of the paper, in float64; each row perhaps discounted. */
function byHand(root: Float32Array, updates: readonly Float32Array[], discounts = updates.map(() => 1)) {
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const norm = (a: Float32Array): number => Math.sqrt(dot(a, a));
  const trust = updates.map((update) => Math.max(0, dot(update, root) / (norm(update) * norm(root))));
  const total = trust.reduce((sum, score) => sum + score, 0);
  const step = Array.from(root, (_, i) =>
    updates.reduce(
      (sum, update, j) =>
        sum + (discounts[j]! * trust[j]! * (norm(root) / norm(update)) * update[i]!) / total,
      0,
    ),
  );
  return { trust, step };
}

const near = (root: Float32Array, phase: number, size: number): Float32Array =>
  root.map((value, i) => size * (value + 0.002 * Math.sin(i + phase)));

function expectStep(from: Float32Array, to: Float32Array, step: readonly number[]): void {
  const worst = Math.max(...step.map((value, i) => Math.abs(to[i]! - from[i]! - value)));
  expect(worst).toBeLessThan(1e-6);
  expect(Math.max(...step.map(Math.abs))).toBeGreaterThan(1e-4);
}

test("a round trusts the updates that point where the server's own does, and says how many", async () => {
  const room = await open();
  const trustedDataset = await put(room, trustedFile());
  await publishTask(room, {
    cohort: { goalCount: 5, minimumCount: 5 },
    maxUpdateNorm: 1e6,
    local: { epochs: 2, batchSize: 5 },
    strategy: { name: "flTrust", trustedDataset },
  });
  const body = await bodyMaker(room);
  const devices = await Promise.all(Array.from({ length: 5 }, () => room.device()));
  for (const device of devices) device.checkIn();
  const offers = await Promise.all(devices.map((device) => device.offer()));
  const root = await ownUpdate(room, offers[0]!.roundId, 1);
  // Three honest ones of different lengths, one that points away, one a thousand times too long.
  const updates = [
    near(root, 0, 1),
    near(root, 1, 3),
    near(root, 2, 0.1),
    near(root, 3, -1),
    near(root, 4, 1e3),
  ];
  await Promise.all(
    devices.map(async (device, i) => {
      const update = body(offers[i]!, { values: updates[i]! });
      device.ready(offers[i]!, update);
      expect(await device.put(await device.socket.next("request-report"), update)).toMatchObject({
        status: 202,
      });
    }),
  );
  expect(await devices[0]!.socket.next("outcome")).toMatchObject({ result: "committed", version: 2 });
  const { trust, step } = byHand(root, updates);
  expect(trust[3]).toBe(0);
  expectStep(await weightsOf(room, 1), await weightsOf(room, 2), step);
  const version = await room.store.versions.get(model, 2 as never);
  expect(version?.trust).toMatchObject({ compared: 5, trusted: 4, lowest: 0 });
  expect(version!.trust!.mean).toBeCloseTo(trust.reduce((sum, score) => sum + score, 0) / 5, 6);

  // What the next round trains on is no unused blob.
  await collectBlobs({ store: room.store, blobs: room.blobs, now: Date.now() + 2 * UNUSED_KEPT_MS });
  expect(await room.blobs.stat(trustedDataset)).toBeDefined();
});

test("a full buffer trusts the means of its cohorts", async () => {
  const room = await open();
  await publishTask(room, {
    cohort: { goalCount: 1, minimumCount: 1 },
    mode: { type: "buffered", bufferSize: 2 },
    evaluation: { dataset: null },
    local: { batchSize: COUNT },
    strategy: { name: "flTrust", trustedDataset: await put(room, trustedFile()) },
  });
  const body = await bodyMaker(room);
  // One step over all of them: their order does not matter.
  const root = await ownUpdate(room, "any", 1);
  const updates = [near(root, 0, 1), near(root, 1, 5)];
  for (const values of updates) {
    const device = await room.device();
    device.checkIn();
    await device.report((offer) => body(offer, { values }));
    expect(await device.socket.next("outcome")).toMatchObject({ result: "buffered" });
  }
  await vi.waitFor(async () => expect((await room.registry.model(model)).currentVersion).toBe(2), {
    timeout: 10_000,
    interval: 10,
  });
  expectStep(await weightsOf(room, 1), await weightsOf(room, 2), byHand(root, updates).step);
  const version = await room.store.versions.get(model, 2 as never);
  expect(version?.trust).toMatchObject({ compared: 2, trusted: 2 });
});

test("a stale cohort counts less, though its mean is brought to the same length", async () => {
  const root = Float32Array.of(1, 2, -1);
  const means = [Float32Array.of(1, 1, 0), Float32Array.of(20, 40, -10)];
  const cohorts = (async function* () {
    for (const [i, values] of means.entries()) {
      const mean = { weights: Float64Array.from(values), statistics: new Float64Array(0), updates: 3 };
      yield { staleness: 3 * i, mean: { ...mean, totalExamples: 10 + i } };
    }
  })();
  const { aggregation } = strategyOf(
    createStrategyRegistry(builtInStrategies),
    parseTaskSpec({
      name: "t",
      model: "m",
      strategy: { name: "flTrust" },
      secureAggregation: { mode: "off" },
    }),
    true,
  ).strategy;
  const { weights, trust, updates, totalExamples } = await bufferMean(aggregation, cohorts, async () => root);
  const expected = byHand(root, means, [1, 1 / 2]);
  weights.forEach((value, i) => expect(value).toBeCloseTo(expected.step[i]!, 6));
  expect(trust).toMatchObject({ compared: 2, trusted: 2 });
  expect([updates, totalExamples]).toEqual([6, 21]);
});

test("is refused when the task is created, with the reason", async () => {
  const room = await open();
  const refusal = async (spec: Record<string, unknown>): Promise<string> => {
    const error = await publishTask(room, spec).catch((reason: unknown) => reason);
    if (!TributaryError.is(error)) throw error;
    return `${error.code} ${String(error.detail["path"])} ${String(error.detail["problem"])}`;
  };
  const absent = "ab".repeat(32);
  const strategy = { name: "flTrust", trustedDataset: absent };
  expect(await refusal({ strategy: { name: "flTrust" } })).toContain(
    "aggregation/incompatible-strategy /strategy/trustedDataset is needed by flTrust",
  );
  expect(await refusal({ strategy: { ...strategy, name: "fedAvg" } })).toContain("is not used by fedAvg");
  expect(await refusal({ strategy })).toBe(
    "coordinator/invalid-task /strategy/trustedDataset there is no such blob; POST it to /v1/blobs first",
  );

  // Nobody sees the updates of one secure cohort; several cohorts of a buffer are compared.
  const secureAggregation = { mode: "on", minimumCohort: 3 };
  const mode = { type: "buffered", bufferSize: 6 };
  expect(await refusal({ strategy, secureAggregation })).toContain(
    "flTrust is ruled out by secure aggregation",
  );
  expect(await refusal({ strategy, secureAggregation, mode })).toContain("there is no such blob");
  expect(await refusal({ strategy, mode: { ...mode, bufferSize: 3 } })).toContain(
    "/mode/bufferSize must be above 3",
  );

  for (const [bytes, problem] of [
    [trustedFile({ size: 100 }), "the model takes 784"],
    [trustedFile({ labels: new Int32Array(COUNT).fill(10) }), "label 10 is none"],
    [new Uint8Array(100), "it is no safetensors file"],
  ] as const) {
    const trustedDataset = await put(room, bytes);
    const refused = await refusal({ strategy: { name: "flTrust", trustedDataset } });
    expect(refused).toContain("coordinator/invalid-task /strategy/trustedDataset");
    expect(refused).toContain(problem);
  }
  expect(await room.store.tasks.list()).toEqual([]);
});
