import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asModelVersion, asTaskName, type Digest } from "@tributary/core";
import { builtInStrategies, createStrategyRegistry, type StrategyDefinition } from "@tributary/aggregation";
import { buildLinear } from "@tributary/onnx";
import { parsePlan, updateSchema, type ReproductionView } from "@tributary/protocol";
import { parameterCount, schemaDigest } from "@tributary/tensor";
import { afterEach, describe, expect, test, vi } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { createReproducer } from "../../src/registry/reproducer.ts";
import { codeOf } from "../../src/testing/index.ts";
import { bodyMaker, model, playRound, publishTask, rooms, type Room } from "../rounds/rounds-room.ts";
import { ScriptedMember } from "../rounds/secure-member.ts";
import { smallClassifier } from "../rounds/small-classifier.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const single = { goalCount: 1, minimumCount: 1, overSelection: 1 };
const wave = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.01 * Math.sin(i + phase));

const { strategies } = resolveConfig({ dataDir: "unused" });
/** The same, taken for an app's own: no thread is started for them. */
const own = createStrategyRegistry(builtInStrategies.map((each) => ({ ...each })));

const reproduce = (room: Room, version: number): Promise<ReproductionView> =>
  createReproducer({ ...room, strategies: own }).reproduce(model, asModelVersion(version));

const namesOf = ({ files }: ReproductionView): string[] =>
  files.filter(({ expected }) => expected !== null).map(({ name }) => name);

/** Rounds of one device each, whose updates are of the plan's layout. */
async function playPlanned(room: Room, rounds: number): Promise<void> {
  const { plan } = await room.registry.task(task);
  const schema = updateSchema(parsePlan(await room.blobs.bytes(plan.digest)).update);
  const body = await bodyMaker(room);
  for (let phase = 1; phase <= rounds; phase++) {
    const device = await room.device();
    device.checkIn();
    const values = wave(parameterCount(schema), phase);
    await device.report((offer) => body(offer, { values, schemaDigest: schemaDigest(schema) }));
    expect(await device.socket.next("outcome")).toMatchObject({ result: "committed" });
    await device.socket.close();
  }
}

describe("a version's step, taken again from what is kept of it", () => {
  test.each([
    ["fedAvg", { strategy: { name: "fedAvg" }, stepPrecision: "float32" }, ["weights", "int8"]],
    [
      "fedAdam, with a learning rate that falls",
      {
        strategy: { name: "fedAdam", parameters: { learningRate: 0.02 } },
        local: { learningRateSchedule: { kind: "exponential", factor: 0.5 } },
        stepPrecision: "float32",
      },
      ["weights", "int8", "optimizer"],
    ],
    [
      "steps rounded to int8, with error feedback",
      { strategy: { name: "fedAvgM" }, stepPrecision: "int8" },
      ["weights", "int8", "optimizer", "residual"],
    ],
    [
      "SCAFFOLD",
      { strategy: { name: "scaffold", parameters: { population: 4 } }, stepPrecision: "int4" },
      ["weights", "int8", "optimizer", "residual"],
    ],
  ])("%s: bit for bit", async (_, spec, names) => {
    const room = await open();
    await publishTask(room, { cohort: single, evaluation: { dataset: null }, ...spec });
    for (const phase of [1, 2]) await playRound(room, [wave(7850, phase)]);
    for (const version of [2, 3]) {
      const found = await reproduce(room, version);
      expect(found).toMatchObject({ result: "same", missing: [], masked: false });
      expect(namesOf(found)).toEqual(names);
    }
  });

  test.each([
    ["statistics of a batch normalization", { batchNormalization: "federated" }],
    ["adapters, folded into the weights", { adapters: { rank: 2 }, batchNormalization: "frozen" }],
  ])("%s: bit for bit", async (_, spec) => {
    const room = await open();
    await room.registry.publish(model, smallClassifier({ training: true }));
    await room.registry.createTask({
      name: "digits",
      model,
      secureAggregation: { mode: "off" },
      cohort: { ...single, trainDeadlineMs: 20_000, reportDeadlineMs: 10_000 },
      ...spec,
    });
    await playPlanned(room, 2);
    for (const version of [2, 3]) expect((await reproduce(room, version)).result).toBe("same");
  });

  test("a buffer of several cohorts: bit for bit", async () => {
    const room = await open();
    await publishTask(room, {
      strategy: { name: "fedBuff" },
      mode: { type: "buffered", bufferSize: 4 },
      cohort: { goalCount: 2, minimumCount: 2 },
      evaluation: { dataset: null },
    });
    const body = await bodyMaker(room);
    for (const value of [0.01, 0.02]) {
      const pair = await Promise.all([room.device(), room.device()]);
      for (const device of pair) device.checkIn();
      await Promise.all(pair.map((device) => device.report((offer) => body(offer, { value }))));
    }
    await vi.waitFor(async () => expect((await room.registry.model(model)).currentVersion).toBe(2), 10_000);
    expect((await reproduce(room, 2)).result).toBe("same");
  });

  test("a sum under masks: bit for bit, from the sum on, as nobody saw what it was made of", async () => {
    const room = await open();
    await publishTask(room, {
      rounds: 1,
      evaluation: { dataset: null },
      cohort: { goalCount: 3 },
      maxUpdateNorm: 10,
      secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 1_500 },
    });
    const devices = await Promise.all([1, 2, 3].map(() => room.device()));
    for (const device of devices) device.checkIn();
    const members = await Promise.all(
      devices.map((device, i) =>
        ScriptedMember.ready(room.url, device, { value: 0.01 * (i + 1), examples: 10 }),
      ),
    );
    await Promise.all(members.map((member) => member.go("unmask")));
    expect(await devices[0]!.socket.next("outcome")).toMatchObject({ result: "committed" });
    const { aggregate } = (await room.store.versionStates.get(model, asModelVersion(2)))!;
    expect(await reproduce(room, 2)).toMatchObject({
      result: "same",
      masked: true,
      aggregate: aggregate!.digest,
    });
  });
});

describe("what is not the same, or not there", () => {
  test("a byte that changed is found: in what is kept, and in what is said to have come of it", async () => {
    const room = await open();
    await publishTask(room, {
      cohort: single,
      evaluation: { dataset: null },
      strategy: { name: "fedAdam" },
    });
    for (const phase of [1, 2]) await playRound(room, [wave(7850, phase)]);
    const two = (await room.store.versionStates.get(model, asModelVersion(2)))!;
    const three = (await room.store.versionStates.get(model, asModelVersion(3)))!;

    // Somebody put another sum, or another state, in the place of the one that it was.
    const forget = () => room.store.versionStates.forget(model, asModelVersion(3), [asModelVersion(2)]);
    await forget();
    await room.store.versionStates.insert({ ...three, aggregate: two.aggregate });
    const other = await reproduce(room, 3);
    expect(other.result).toBe("different");
    expect(other.files.every(({ expected, got }) => expected === got || expected !== null)).toBe(true);
    expect(other.files.find(({ name }) => name === "weights")).toMatchObject({
      expected: (await room.store.versions.get(model, asModelVersion(3)))!.weights.digest,
    });
    await forget();
    await room.store.versionStates.insert({ ...three, before: null });
    expect((await reproduce(room, 3)).result).toBe("different");
    await forget();
    await room.store.versionStates.insert(three);
    expect((await reproduce(room, 3)).result).toBe("same");

    const flip = async (digest: Digest): Promise<void> => {
      const path = join(room.folder, "blobs", digest.slice(0, 2), digest);
      const bytes = await readFile(path);
      bytes[bytes.length - 1]! ^= 1;
      await writeFile(path, bytes);
    };
    await flip(three.aggregate!.digest);
    expect(await reproduce(room, 3)).toMatchObject({
      result: "missing",
      missing: [{ what: "aggregate", why: "damaged" }],
    });
    await room.blobs.delete(three.before!.state.digest);
    const parent = (await room.store.versions.get(model, asModelVersion(2)))!;
    await room.blobs.delete(parent.weights.digest);
    expect((await reproduce(room, 3)).missing).toEqual([
      { what: "parent-weights", why: "gone" },
      { what: "aggregate", why: "damaged" },
      { what: "optimizer", why: "gone" },
    ]);
  });

  test("what an operator published, and what was not kept, is said to be so; others wait for their turn", async () => {
    const room = await open();
    await publishTask(room, { cohort: single, evaluation: { dataset: null } });
    await playRound(room, [wave(7850, 1)]);
    expect(await reproduce(room, 1)).toMatchObject({
      result: "missing",
      missing: [{ what: "round", why: "published" }],
    });
    const state = (await room.store.versionStates.get(model, asModelVersion(2)))!;
    await room.store.versionStates.forget(model, asModelVersion(2), []);
    expect((await reproduce(room, 2)).missing).toEqual([{ what: "round", why: "not-kept" }]);
    await room.store.versionStates.insert({ ...state, aggregate: null });
    expect(await reproduce(room, 2)).toMatchObject({
      result: "missing",
      missing: [{ what: "aggregate", why: "not-kept" }],
      aggregate: null,
    });
    expect(await codeOf(reproduce(room, 9))).toBe("coordinator/unknown-version");
    await room.registry.publish(model, buildLinear({ seed: 2 }));
    expect((await reproduce(room, 3)).missing).toEqual([{ what: "round", why: "published" }]);

    await room.store.versionStates.forget(model, asModelVersion(2), []);
    await room.store.versionStates.insert(state);
    const reproducer = createReproducer({ store: room.store, blobs: room.blobs, strategies });
    const codes = await Promise.all(
      Array.from({ length: 11 }, () => codeOf(reproducer.reproduce(model, asModelVersion(2)))),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(9);
    expect(codes.filter((code) => code === "coordinator/busy")).toHaveLength(2);
    await reproducer.close();
    expect(await codeOf(reproducer.reproduce(model, asModelVersion(2)))).toBe("core/closed");
  });
});

test("an app's own strategy is taken again where it is known, and said to be unknown elsewhere", async () => {
  const ourAvg: StrategyDefinition = {
    ...strategies.definitions.find(({ name }) => name === "fedAvg")!,
    name: "ourAvg",
  };
  const room = await open({}, { strategies: [ourAvg] });
  await publishTask(room, { cohort: single, evaluation: { dataset: null }, strategy: { name: "ourAvg" } });
  await playRound(room, [wave(7850, 1)]);
  expect(await reproduce(room, 2)).toMatchObject({
    result: "missing",
    missing: [{ what: "strategy", why: "unknown" }],
  });
  const reproducer = createReproducer(room);
  expect((await reproducer.reproduce(model, asModelVersion(2))).result).toBe("same");
});
