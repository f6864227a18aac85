import { asModelVersion } from "@tributary/core";
import { parseModelManifest, rolloutDevice, type RolloutView } from "@tributary/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { codeOf } from "../../src/testing/index.ts";
import { DIGITS, openRolloutsRoom, type RolloutsRoom, type Told } from "./rollouts-room.ts";

const HOUR = 3_600_000;
const SPEC = { arms: [{ name: "new", version: 2 }], observeMs: 60_000 };
let room: RolloutsRoom;

beforeEach(async () => {
  room = await openRolloutsRoom();
  await room.publish(3);
  // Before a rollout devices tell of what they run.
  for (let device = 0; device < 40; device++) await room.tell(device, 1);
  room.clock.advance(HOUR);
});
afterEach(() => room.dispose());

const start = (document: object = SPEC): Promise<RolloutView> =>
  room.rooms.rollouts.start(DIGITS, document, OPERATOR_BY_HTTP);

/** So many devices tell of a version, and their time passes. */
async function told(from: number, devices: number, version: number, what: Told = {}): Promise<void> {
  for (let device = from; device < from + devices; device++) await room.tell(device, version, what);
}

/** What devices of the control told before does not count: what they tell after their next report does. */
async function toldOfControl(devices: number, what: Told = {}): Promise<void> {
  await told(0, devices, 1, what);
  await room.look();
  await told(0, devices, 1, what);
}

test("goes through its steps, each signed, and ends with its version on the channel", async () => {
  const started = await start({
    ...SPEC,
    runtime: "2.3.4",
    steps: [
      { percent: 0, devices: ["ab".repeat(16)], minimumMs: 0, minimumDevices: 0 },
      { percent: 10 },
      { percent: 100, minimumMs: 2 * HOUR },
    ],
  });
  expect(started).toMatchObject({ rollout: "stable-1", state: "running", control: 1 });
  expect(await room.rolloutFile()).toMatchObject({
    control: 1,
    shares: [{ tags: [], share: 0 }],
    devices: [await rolloutDevice("stable-1", "ab".repeat(16))],
  });
  const arm = parseModelManifest((await room.document("models/digits/rollouts/stable-1/new.json"))!);
  expect(arm).toMatchObject({ version: 2, channel: "stable", requires: { runtime: "2.3.4" } });
  await room.look();
  expect(await room.rolloutFile()).toMatchObject({ shares: [{ tags: [], share: 1000 }] });
  await toldOfControl(20);
  await told(100, 6, 2);
  // Nobody counts before its time is up, then each does once.
  await room.look(30_000);
  await room.look(31_000);
  await room.look(60_000);
  const [now] = (await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts;
  expect(now).toMatchObject({ controlDevices: 20, arms: [{ devices: 6, state: "tried" }] });
  expect(now!.waitsFor).toEqual([expect.stringMatching(/more minutes/)]);
  await room.restart();
  await room.look(HOUR);
  expect(
    (await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts[0]!.steps.map(({ state }) => state),
  ).toEqual(["passed", "passed", "current"]);
  expect(await codeOf(room.rooms.registry.release(DIGITS, asModelVersion(3)))).toBe(
    "coordinator/rollout-running",
  );
  room.pushed.length = 0;
  await room.look(2 * HOUR);
  expect(await room.rooms.rollouts.get(DIGITS, "stable-1")).toMatchObject({ state: "completed" });
  expect([await room.points(), await room.rolloutFile()]).toEqual([2, undefined]);
  expect(parseModelManifest((await room.document("models/digits/stable.json"))!).requires).toEqual({
    runtime: "2.3.4",
  });
  expect(room.pushed).toMatchObject([{ channel: "stable", version: 2 }]);
  const actions = (await room.rooms.store.audit.list({ object: { rollout: "stable-1" } }, { limit: 9 })).map(
    ({ action }) => action,
  );
  expect(actions).toEqual(["rollout.complete", "rollout.step", "rollout.step", "rollout.start"]);
  expect(await room.rooms.store.rollouts.watched({ model: DIGITS, rollout: "stable-1" })).toEqual([]);
});

test("a version that crashes on devices is taken back unattended, and is never offered again", async () => {
  await start({
    ...SPEC,
    steps: [{ percent: 1, minimumMs: 0, minimumDevices: 0 }, { percent: 10 }, { percent: 100 }],
  });
  await room.look();
  await toldOfControl(30);
  await told(100, 8, 2, { runs: 0, crashes: 2 });
  await room.look(1);
  room.pushed.length = 0;
  await room.look(61_000);
  expect(await room.rooms.rollouts.get(DIGITS, "stable-1")).toMatchObject({
    state: "rolled-back",
    reason: { code: "gate", message: expect.stringMatching(/crashes of new: 100.0 % against 0.0 %/) },
    arms: [{ state: "withdrawn" }],
    steps: [{ state: "passed" }, { state: "not-reached" }, { state: "not-reached" }],
  });
  expect([await room.points(), await room.rolloutFile()]).toEqual([1, undefined]);
  expect(await room.withdrawnFile()).toMatchObject({ versions: [{ version: 2 }] });
  expect(room.pushed).toHaveLength(1);
  expect(await codeOf(start({ ...SPEC, rollout: "again" }))).toBe("coordinator/version-withdrawn");
  expect(await codeOf(room.rooms.registry.release(DIGITS, asModelVersion(2)))).toBe(
    "coordinator/version-withdrawn",
  );
  const back = await room.rooms.store.audit.list({ action: "rollout.back" }, { limit: 2 });
  expect(back).toMatchObject([{ actor: { kind: "coordinator", rollout: "stable-1" } }]);
});

test("counts failed self-checks, errors and slow runs of single devices by the gates on them", async () => {
  const gates = [
    { metric: "self-checks", margin: 0.1 },
    { metric: "errors", margin: 0.1, toPass: "not-worse" },
    { metric: "latency", latencyMs: 100, margin: 0.2 },
  ];
  await start({ ...SPEC, gates, steps: [{ percent: 50, minimumMs: 0 }] });
  await toldOfControl(20, { errors: 1 });
  await told(100, 4, 2, { runs: 5, errors: 5, milliseconds: 500 });
  await room.look(1);
  await room.look(61_000);
  const view = await room.rooms.rollouts.get(DIGITS, "stable-1");
  const [checks, errors, latency] = view.gates.map(({ comparisons }) => comparisons[0]!);
  expect(checks).toMatchObject({ treated: 0, control: 0, treatedCount: 4, controlCount: 16 });
  expect(errors!.treated).toBeCloseTo(0.5);
  expect(errors!.control).toBeCloseTo(1 / 11);
  expect(latency).toMatchObject({ treated: 1, control: 0 });
  expect(errors!.lower).toBeLessThanOrEqual(errors!.difference!);
});

test("operators pause it, let it go on, promote it, end it or take it back; what does not fit is refused", async () => {
  const { rollouts, registry } = room.rooms;
  const change = (action: "pause" | "resume" | "abort" | "rollback" | "promote", more: object = {}) =>
    rollouts.change(DIGITS, view.rollout, { action, ...more }, OPERATOR_BY_HTTP);
  let view = await start();
  expect(await codeOf(start({ arms: [{ name: "new", version: 3 }] }))).toBe("coordinator/rollout-running");
  expect(await codeOf(change("resume"))).toBe("federation/rollout-state");
  expect(await change("pause", { reason: "it is Friday" })).toMatchObject({
    state: "paused",
    reason: { message: "it is Friday" },
  });
  await room.look(9 * 24 * HOUR);
  expect(await change("resume")).toMatchObject({ state: "running" });
  await told(0, 1, 1);
  expect(await change("abort")).toMatchObject({ state: "aborted", arms: [{ state: "not-released" }] });
  expect(await codeOf(change("resume"))).toBe("federation/rollout-ended");
  // It was not the version's fault: it may be tried again, but not by the same name.
  expect(await codeOf(start({ ...SPEC, rollout: view.rollout }))).toBe("coordinator/invalid-rollout");
  expect(await codeOf(start({ ...SPEC, arms: [{ name: "same", version: 1 }] }))).toBe(
    "coordinator/invalid-rollout",
  );
  expect(await codeOf(start({ ...SPEC, arms: [{ name: "none", version: 99 }] }))).toBe(
    "coordinator/unknown-version",
  );
  expect(await codeOf(start({ ...SPEC, channel: "none" }))).toBe("coordinator/unknown-channel");
  expect(await codeOf(start({ ...SPEC, gates: [{ metric: "latency" }] }))).toBe("protocol/invalid-document");
  view = await start();
  expect(await change("rollback", { reason: "it looks wrong" })).toMatchObject({ state: "rolled-back" });
  expect(await room.withdrawnFile()).toMatchObject({ versions: [{ version: 2, reason: "it looks wrong" }] });
  view = await start({ arms: [{ name: "third", version: 3 }], gates: [] });
  expect(await change("promote")).toMatchObject({ state: "completed", arms: [{ state: "released" }] });
  expect(await room.points()).toBe(3);
  expect(await codeOf(rollouts.get(DIGITS, "none"))).toBe("coordinator/unknown-rollout");
  await registry.release(DIGITS, asModelVersion(1));
});

test("a gate that nothing tells of is refused with what to do", async () => {
  const gates = [{ metric: "accuracy" }];
  expect(await codeOf(start({ ...SPEC, gates }))).toBe("protocol/invalid-document");
  expect(await codeOf(start({ ...SPEC, gates, telemetryTask: "none" }))).toBe(
    "coordinator/no-rollout-evidence",
  );
  room.clock.advance(30 * 24 * HOUR);
  expect(await codeOf(start())).toBe("coordinator/no-rollout-evidence");
  expect(await start({ ...SPEC, gates: [] })).toMatchObject({ gates: [], state: "running" });
});

test("a version is withdrawn for good: its channels go back, what grew out of it and its rollouts end", async () => {
  const { rollouts, registry, store } = room.rooms;
  await registry.release(DIGITS, asModelVersion(2));
  await registry.release(DIGITS, asModelVersion(2), { channel: "beta" });
  await start({ arms: [{ name: "third", version: 3 }], gates: [] });
  const done = await rollouts.withdraw(DIGITS, asModelVersion(2), "it answers nonsense", OPERATOR_BY_HTTP);
  expect(done).toMatchObject({ version: 2, reason: "it answers nonsense" });
  // The channel beta never pointed to another one: its devices answer nothing.
  expect([await room.points(), await room.points("beta")]).toEqual([1, 2]);
  expect(await rollouts.get(DIGITS, "stable-1")).toMatchObject({
    state: "aborted",
    reason: { code: "withdrawn" },
  });
  expect(await room.withdrawnFile()).toMatchObject({
    versions: [{ version: 2, reason: "it answers nonsense" }],
  });
  expect(await rollouts.withdraw(DIGITS, asModelVersion(2), "again", OPERATOR_BY_HTTP)).toEqual(done);
  expect(await codeOf(registry.release(DIGITS, asModelVersion(2)))).toBe("coordinator/version-withdrawn");
  expect(await codeOf(rollouts.withdraw(DIGITS, asModelVersion(9), "x", OPERATOR_BY_HTTP))).toBe(
    "coordinator/unknown-version",
  );
  expect((await store.audit.list({ action: "version.withdraw" }, { limit: 5 })).length).toBe(1);
});
