import { asModelName, asTaskName, silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import type { TrainingState } from "@tributary/engine/training";
import { tensor } from "@tributary/tensor";
import { beforeEach, expect, test } from "vitest";
import { openExamples } from "../../src/examples/open-examples.ts";
import { createCheckpoints, type Checkpoints } from "../../src/participation/checkpoints.ts";
import type { DeviceStore } from "../../src/store/device-store.ts";
import { createMemoryStore } from "../../src/testing/index.ts";

const of = { model: asModelName("digits"), task: asTaskName("digits-task"), fingerprint: "a" };
const state = (step: number): TrainingState => ({
  epoch: 1,
  position: 32,
  step,
  lossSum: 12.5,
  correct: 7,
  firstLoss: 2.3,
  carried: { w: tensor("float32", [2], Float32Array.of(step, -0.1)) },
});

let store: DeviceStore;
let clock: VirtualClock;
let writeMs: number;
const open = (): Checkpoints =>
  createCheckpoints({ store, env: { clock, random: systemRandom, log: silentLogger } });

beforeEach(() => {
  const memory = createMemoryStore();
  clock = createVirtualClock();
  writeMs = 0;
  store = {
    ...memory,
    learned: {
      ...memory.learned,
      async write(name, sealed) {
        clock.advance(writeMs);
        await memory.learned.write(name, sealed);
      },
    },
  };
});

test("a state comes back with its seed after a kill, and lies sealed until then", async () => {
  const first = await open().open(of, "seed one");
  expect([first.seed, first.resume]).toEqual(["seed one", undefined]);
  first.save(state(2)); // so short a training is quicker made again
  await first.settled();
  expect(await store.learned.list()).toEqual([]);
  clock.advance(200);
  first.save(state(3));
  await first.settled();
  const [kept] = await store.learned.list();
  const sealed = await store.learned.read(kept!.name);
  expect(new TextDecoder("latin1").decode(sealed)).not.toContain("seed one");
  const second = await open().open(of, "seed two");
  expect(second.seed).toBe("seed one");
  expect(second.resume).toEqual(state(3));
});

test.each(["b", "of other examples"])("of another training (%s) it is dropped", async (fingerprint) => {
  const first = await open().open(of, "seed one");
  clock.advance(200);
  first.save(state(3));
  await first.settled();
  const second = await open().open({ ...of, fingerprint }, "seed two");
  expect([second.seed, second.resume]).toEqual(["seed two", undefined]);
  expect(await store.learned.list()).toEqual([]);
});

test("one that was changed is dropped, and the training begins anew", async () => {
  const first = await open().open(of, "seed one");
  clock.advance(200);
  first.save(state(3));
  await first.settled();
  const [kept] = await store.learned.list();
  const sealed = (await store.learned.read(kept!.name))!;
  sealed[20]! ^= 1;
  await store.learned.write(kept!.name, sealed);
  expect((await open().open(of, "seed two")).resume).toBeUndefined();
  expect(await store.learned.list()).toEqual([]);
});

test("every state is kept where writing is quick, a tenth of the time is written where it is not, and a megabyte a second", async () => {
  const checkpoint = await open().open(of, "seed");
  clock.advance(200);
  for (let step = 1; step <= 3; step++) {
    checkpoint.save(state(step));
    await checkpoint.settled();
    clock.advance(10);
  }
  expect((await open().open(of, "")).resume!.step).toBe(3);
  writeMs = 5;
  checkpoint.save(state(4));
  await checkpoint.settled();
  // It began 5 ms ago and took them: the next one may begin after 45 more.
  clock.advance(44);
  checkpoint.save(state(5));
  await checkpoint.settled();
  expect((await open().open(of, "")).resume!.step).toBe(4);
  clock.advance(1);
  checkpoint.save(state(6));
  await checkpoint.settled();
  expect((await open().open(of, "")).resume!.step).toBe(6);
  writeMs = 0;
  clock.advance(50);
  const large = (step: number): TrainingState => ({
    ...state(step),
    carried: { w: tensor("float32", [50_000], new Float32Array(50_000)) },
  });
  checkpoint.save(large(7));
  await checkpoint.settled();
  clock.advance(199);
  checkpoint.save(large(8));
  await checkpoint.settled();
  expect((await open().open(of, "")).resume!.step).toBe(7);
  clock.advance(2);
  checkpoint.save(large(9));
  await checkpoint.settled();
  expect((await open().open(of, "")).resume!.step).toBe(9);
});

test("erasing a model's examples erases trainings on them", async () => {
  const checkpoint = await open().open(of, "seed");
  clock.advance(200);
  checkpoint.save(state(1));
  await checkpoint.settled();
  const examples = openExamples({ store, env: { clock, random: systemRandom }, policyOf: () => undefined });
  await examples.clear(asModelName("other"));
  expect(await store.learned.list()).toHaveLength(1);
  await examples.clear(of.model);
  expect(await store.learned.list()).toEqual([]);
});
