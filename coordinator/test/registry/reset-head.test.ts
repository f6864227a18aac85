import { asModelVersion, asTaskName, type ModelVersion } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { afterEach, describe, expect, test, vi } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import { weightsPath } from "../../src/releases/target-paths.ts";
import { codeOf } from "../../src/testing/index.ts";
import {
  bodyMaker,
  model,
  playRound,
  publishTask,
  rooms,
  startRoom,
  weightsOf,
  type Room,
} from "../rounds/rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const single = { goalCount: 1, minimumCount: 1, overSelection: 1 };
const v = (version: number): ModelVersion => asModelVersion(version);

/** A wave of the room's 7850 weights. */
const wave = (phase: number): Float32Array =>
  Float32Array.from({ length: 7850 }, (_, i) => 0.01 * Math.sin(i + phase));

/** Pauses the task, and waits until its round has ended. */
async function rest(room: Room): Promise<void> {
  await room.registry.changeTask(task, { state: "paused" });
  await vi.waitFor(async () => expect(await room.store.rounds.open()).toEqual([]), 10_000);
}

async function resetTo(room: Room, version: number): Promise<string> {
  await rest(room);
  const { optimizer } = await room.registry.resetHead(task, v(version));
  await room.registry.changeTask(task, { state: "running" });
  return optimizer;
}

const stateOf = (room: Room, version: number) => room.store.versionStates.get(model, v(version));

/** What it came from without the numbers that only say when. */
async function cameFrom(room: Room, version: number): Promise<unknown> {
  const { version: _, ...state } = (await stateOf(room, version))!;
  return state;
}

describe("a task goes back to an earlier version", () => {
  test.each([
    [{ name: "fedAdam", parameters: { learningRate: 0.02 } }, "float32", "restored"],
    [{ name: "scaffold", parameters: { population: 4 } }, "int8", "restored"],
    [{ name: "fedAvg" }, "float32", "stateless"],
  ])(
    "%o with steps in %s: the same updates make the same versions",
    async (strategy, stepPrecision, optimizer) => {
      const room = await open();
      const schedule = { kind: "step", everyRounds: 1, factor: 0.5 };
      await publishTask(room, {
        cohort: single,
        strategy,
        stepPrecision,
        local: { learningRateSchedule: schedule },
        evaluation: { dataset: null },
      });
      for (const phase of [1, 2, 3]) await playRound(room, [wave(phase)]);
      expect(await resetTo(room, 2)).toBe(optimizer);
      expect((await room.registry.model(model)).currentVersion).toBe(2);
      expect(await room.store.audit.list({ action: "task.reset" }, { limit: 9 })).toMatchObject([
        { object: { task, model, version: 2 }, detail: { from: 4, optimizer, dropped: 0 } },
      ]);
      expect(await playRound(room, [wave(2)])).toBe(5);
      expect(await room.store.versions.get(model, v(5))).toMatchObject({ parentVersion: 2 });
      expect(await weightsOf(room, 5)).toEqual(await weightsOf(room, 3));
      expect(await cameFrom(room, 5)).toEqual(await cameFrom(room, 3));
      await playRound(room, [wave(3)]);
      expect(await weightsOf(room, 6)).toEqual(await weightsOf(room, 4));
      expect(await cameFrom(room, 6)).toEqual(await cameFrom(room, 4));
      // Also forward again, to what was left behind.
      expect(await resetTo(room, 4)).toBe(optimizer);
      await playRound(room, [wave(7)]);
      expect(await room.store.versions.get(model, v(7))).toMatchObject({ parentVersion: 4 });
    },
  );

  test("SCAFFOLD's devices get the control that belongs to it, or begin with zeros", async () => {
    const room = await open();
    await publishTask(room, {
      cohort: single,
      strategy: { name: "scaffold", parameters: { population: 4 } },
      evaluation: { dataset: null },
    });
    for (const phase of [1, 2]) await playRound(room, [wave(phase)]);
    const control = (version: number) =>
      room.store.releases.target(`models/digits/controls/digits/${version}.safetensors`);
    const [two, three] = [(await stateOf(room, 2))!.after!, (await stateOf(room, 3))!.after!];
    expect(await control(3)).toMatchObject(three.state);
    await rest(room);
    await room.registry.resetHead(task, v(2));
    expect([await control(2), await control(3)]).toMatchObject([two.state, undefined]);
    expect((await room.registry.resetHead(task, v(1))).optimizer).toBe("anew");
    expect([await control(1), await control(2)]).toEqual([undefined, undefined]);
    expect(await room.store.optimizers.get(task)).toBeUndefined();
  });

  test("buffered: what waits is dropped, and cohorts begin from it, whatever the channel points to", async () => {
    const room = await open();
    await publishTask(room, {
      strategy: { name: "fedBuff" },
      mode: { type: "buffered", bufferSize: 4 },
      cohort: { goalCount: 2, minimumCount: 2 },
      evaluation: { dataset: null },
    });
    const body = await bodyMaker(room);
    const cohort = async (value: number, base: number): Promise<void> => {
      const pair = await Promise.all([room.device(), room.device()]);
      for (const device of pair) device.checkIn();
      const bases = await Promise.all(
        pair.map((device) =>
          device.report((offer) => body(offer, { value })).then((each) => each.baseVersion),
        ),
      );
      await Promise.all(pair.map(({ socket }) => socket.next("outcome")));
      await Promise.all(pair.map(({ socket }) => socket.close()));
      expect(bases).toEqual([base, base]);
    };
    const head = async (version: number) =>
      vi.waitFor(async () => expect((await room.registry.model(model)).currentVersion).toBe(version), 10_000);
    for (const version of [2, 3]) {
      for (const value of [0.01, 0.02]) await cohort(value, version - 1);
      await head(version);
    }
    await cohort(0.03, 3);
    expect(await room.store.bufferedCohorts.pending(task)).toHaveLength(1);
    await resetTo(room, 2);
    expect(await room.store.bufferedCohorts.pending(task)).toEqual([]);
    const left = (await room.store.rounds.list(task)).filter(({ reported }) => reported > 0);
    expect(left[0]).toMatchObject({ phase: "abandoned", baseVersion: 3, reason: "round/base-replaced" });
    // Inference devices may run what was left behind.
    await room.registry.release(model, v(3));
    for (const value of [0.01, 0.02]) await cohort(value, 2);
    await head(4);
    expect(await room.store.versions.get(model, v(4))).toMatchObject({ parentVersion: 2 });
  });

  test("synchronous: nor does moving the channel end a round", async () => {
    const room = await open();
    await publishTask(room, { cohort: single, evaluation: { dataset: null } });
    for (const phase of [1, 2]) await playRound(room, [wave(phase)]);
    await resetTo(room, 1);
    const device = await room.device();
    device.checkIn();
    const offer = await device.offer();
    await room.registry.release(model, v(3));
    const update = (await bodyMaker(room))(offer);
    device.ready(offer, update);
    expect(await device.put(await device.socket.next("request-report"), update)).toMatchObject({
      status: 202,
    });
    expect(await device.socket.next("outcome")).toMatchObject({ result: "committed", version: 4 });
  });

  test("a gate compares with it, where what it compared with was left behind", async () => {
    const room = await open();
    const gate = { heldOutShare: 0.5, minimumDevices: 2 };
    await publishTask(room, { cohort: single, gate, release: "on-gate" });
    await rest(room);
    await room.registry.publish(model, buildLinear({ seed: 2 }));
    const gateOf = async () => (await room.registry.task(task)).gate;
    expect(await gateOf()).toMatchObject({ reference: 2 });
    await room.store.tasks.setGate(task, {
      ...(await gateOf())!,
      reference: v(1),
      candidate: v(2),
      failures: 1,
    });
    await room.registry.resetHead(task, v(2));
    expect(await gateOf()).toMatchObject({ reference: 1, candidate: null, failures: 0 });
    await room.store.tasks.setGate(task, { ...(await gateOf())!, reference: v(2) });
    await room.registry.resetHead(task, v(1));
    expect(await gateOf()).toMatchObject({ reference: 1 });
  });

  test("is refused for a task that runs, that only measures, or whose model another one trains; and for a version that devices could not get", async () => {
    const room = await open();
    await publishTask(room, { cohort: single, evaluation: { dataset: null } });
    const reset = (name: string, version: number) =>
      codeOf(room.registry.resetHead(asTaskName(name), v(version)));
    expect(await reset("digits", 1)).toBe("coordinator/task-running");
    expect(await reset("none", 1)).toBe("coordinator/unknown-task");
    await rest(room);
    expect(await reset("digits", 9)).toBe("coordinator/unknown-version");
    await room.registry.createTask({
      name: "looks",
      model,
      kind: "evaluate",
      rounds: 1,
      secureAggregation: { mode: "off" },
    });
    expect(await reset("looks", 1)).toBe("coordinator/invalid-task");
    await room.registry.createTask({ name: "other", model, secureAggregation: { mode: "off" } });
    expect(await reset("digits", 1)).toBe("coordinator/model-busy");
    await room.registry.changeTask(asTaskName("other"), { state: "paused" });
    await room.registry.publish(model, buildLinear({ seed: 2 }));
    await room.releases.release({ put: [], remove: [weightsPath(model, v(1))] }, (release) =>
      room.store.releases.apply(release),
    );
    expect(await reset("digits", 1)).toBe("coordinator/version-retired");
    expect(await reset("digits", 2)).toBeUndefined();
  });
});

describe("what a version came from", () => {
  test("is kept with it as long as it can be downloaded, and by no clean-up taken for unused", async () => {
    const room = await open();
    await publishTask(room, { cohort: single, strategy: { name: "fedAdam" }, evaluation: { dataset: null } });
    for (const phase of [1, 2]) await playRound(room, [wave(phase)]);
    await collectBlobs({ store: room.store, blobs: room.blobs, now: Date.now() + 2 * UNUSED_KEPT_MS });
    const states = await room.store.versionStates.list(model);
    expect(states.map(({ version, trainingRound }) => [version, trainingRound])).toEqual([
      [3, 2],
      [2, 1],
    ]);
    expect(states[0]!.before).toEqual(states[1]!.after);
    expect(states[1]!.before).toBeNull();
    for (const { plan, aggregate, after } of states)
      for (const blob of [plan, aggregate!, after!.state])
        expect(await room.blobs.stat(blob.digest)).toEqual(blob);
    await room.stop();

    // All that was before leaves with the next version.
    const again = await startRoom(room.folder, {}, { keepAggregates: false });
    try {
      const rule = { newest: 1, releasedWithinDays: 0, deleteFiles: false };
      await again.store.models.setRetention(model, rule);
      const version = await playRound(again, [wave(3)]);
      // The one that the channel pointed to when this one came stays.
      expect(await again.store.versionStates.list(model)).toMatchObject([
        { version, aggregate: null, before: states[0]!.after },
      ]);
    } finally {
      await again.stop();
    }
  });
});
