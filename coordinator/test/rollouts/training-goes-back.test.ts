import { asModelVersion, asTaskName, silentLogger, systemEnv, type ModelVersion } from "@tributary/core";
import { afterEach, expect, test, vi } from "vitest";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { createRollouts, type Rollouts } from "../../src/rollouts/rollouts.ts";
import { createSteadyNow } from "../../src/steady-time.ts";
import { codeOf } from "../../src/testing/index.ts";
import { model, playRound, publishTask, rooms, type Room } from "../rounds/rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const TASK = asTaskName("digits");
const v = (version: number): ModelVersion => asModelVersion(version);
const update = (phase: number): Float32Array =>
  Float32Array.from({ length: 7850 }, (_, i) => 0.01 * Math.sin(i + phase));
const points = async ({ store }: Room) => (await store.channels.get(model, "stable"))?.version;

function rolloutsOf(room: Room): Rollouts {
  const env = systemEnv({ log: silentLogger });
  return createRollouts({ ...room, env, steadyNow: createSteadyNow(env.clock) });
}

test("what grew out of a withdrawn version is barred, and training goes on from before it", async () => {
  const room = await open();
  const rollouts = rolloutsOf(room);
  await publishTask(room, {
    cohort: { goalCount: 1, minimumCount: 1 },
    strategy: { name: "fedAdam", parameters: { learningRate: 0.02 } },
    evaluation: { dataset: null },
  });
  for (const phase of [1, 2, 3]) await playRound(room, [update(phase)]);
  expect(await points(room)).toBe(4);
  await rollouts.withdraw(model, v(3), "it answers nonsense", OPERATOR_BY_HTTP);
  // Version 4 grew out of it: the channel goes back beyond both, to the one that it pointed to before.
  expect(await points(room)).toBe(2);
  expect(await codeOf(room.registry.release(model, v(4)))).toBe("coordinator/version-withdrawn");
  expect(
    await codeOf(rollouts.start(model, { arms: [{ name: "b", version: 4 }], gates: [] }, OPERATOR_BY_HTTP)),
  ).toBe("coordinator/version-withdrawn");
  expect(await room.registry.task(TASK)).toMatchObject({ state: "paused", reason: { code: "withdrawn" } });
  // Its round ends first; then the next look finds it resting.
  await vi.waitFor(async () => {
    await rollouts.look();
    expect((await room.registry.model(model)).currentVersion).toBe(2);
  }, 10_000);
  expect((await room.store.optimizers.get(TASK))?.version).toBe(2);
  await room.registry.changeTask(TASK, { state: "running" });
  await playRound(room, [update(4)]);
  expect(await room.store.versions.get(model, v(5))).toMatchObject({ parentVersion: 2 });
  expect(await points(room)).toBe(5);
  // While a rollout decides what the channel points to, no round moves it.
  await rollouts.start(model, { arms: [{ name: "first", version: 1 }], gates: [] }, OPERATOR_BY_HTTP);
  await playRound(room, [update(5)]);
  expect(await room.store.versions.get(model, v(6))).toMatchObject({ releasedAt: null });
  expect(await points(room)).toBe(5);
  await rollouts.close();
});

test("a task does not go on from a version that was withdrawn, where there is no other to go back to", async () => {
  const room = await open();
  const rollouts = rolloutsOf(room);
  await publishTask(room);
  await rollouts.withdraw(model, v(1), "it answers nonsense", OPERATOR_BY_HTTP);
  await rollouts.look();
  const resumed = () => codeOf(room.registry.changeTask(TASK, { state: "running" }));
  expect(await resumed()).toBe("coordinator/version-withdrawn");
  expect(await codeOf(room.registry.resetHead(TASK, v(1)))).toBe("coordinator/version-withdrawn");
  expect(await room.registry.task(TASK)).toMatchObject({ state: "paused", reason: { code: "withdrawn" } });
  await rollouts.close();
});
