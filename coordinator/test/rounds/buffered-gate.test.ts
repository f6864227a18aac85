import { asModelVersion, asTaskName } from "@tributary/core";
import { parseTaskSpec, type Offer } from "@tributary/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { answerOffer, HELD_OUT_SHARE, paired, planOf, split, tell } from "./measuring-devices.ts";
import {
  bodyMaker,
  model,
  publishTask,
  rooms,
  type Body,
  type Room,
  type RoundDevice,
} from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const gate = {
  metric: "accuracy",
  heldOutShare: HELD_OUT_SHARE,
  minimumDevices: 2,
  confidence: 0.9,
  patience: 2,
};

async function gatedTask(room: Room, more: Record<string, unknown> = {}): Promise<void> {
  await publishTask(room, {
    strategy: { name: "fedBuff" },
    evaluation: { dataset: null },
    mode: { type: "buffered", bufferSize: 2 },
    cohort: { goalCount: 2, minimumCount: 2 },
    gate,
    release: "on-gate",
    ...more,
  });
}

/** Two devices fill a cohort, which fills the buffer, which makes a version. */
async function trainOnce(
  training: readonly RoundDevice[],
  body: (offer: Offer, options: { value: number }) => Body,
): Promise<void> {
  await Promise.all(
    training.map(async (device) => {
      const offer = await device.offer();
      const update = body(offer, { value: 0.001 });
      device.ready(offer, update);
      const request = await device.socket.next("request-report");
      expect(await device.put(request, update)).toMatchObject({ status: 202 });
      expect(await device.socket.next("outcome")).toMatchObject({ result: "buffered" });
    }),
  );
}

const gateOf = async (room: Room) => (await room.store.tasks.get(task))!.gate!;
const verdictOn = async (room: Room, version: number) =>
  (await room.store.versions.get(model, asModelVersion(version)))?.gate?.result;

test("a buffered task's gate measures on held-out devices while the others train on, the newest version next", async () => {
  const room = await open();
  await gatedTask(room);
  const body = await bodyMaker(room);
  const { training, heldOut } = await split(room, 2, 2);

  await trainOnce(training, body);
  // The verdict on version 2 is still out: nobody waits for it.
  const first = await Promise.all(heldOut.map((device) => device.socket.next("offer-measurement")));
  expect(first).toMatchObject([
    { baseVersion: 1, candidate: { version: 2 } },
    { baseVersion: 1, candidate: { version: 2 } },
  ]);
  await trainOnce(training, body);
  await trainOnce(training, body);
  await vi.waitFor(async () => expect((await gateOf(room)).candidate).toBe(4), 10_000);
  expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 4, releasedVersion: 1 });

  await Promise.all(heldOut.map((device, i) => answerOffer(room, device, first[i]!, paired(6, 0))));
  // Version 3 came and went meanwhile; the reference is the one that passed.
  const second = await Promise.all(heldOut.map((device) => tell(room, device, paired(1, 3))));
  for (const { offer } of second) expect(offer).toMatchObject({ baseVersion: 2, candidate: { version: 4 } });
  await vi.waitFor(async () => expect((await gateOf(room)).candidate).toBeNull(), 10_000);
  expect(await gateOf(room)).toMatchObject({ reference: 2, failures: 1 });
  expect(await Promise.all([2, 3, 4].map((version) => verdictOn(room, version)))).toEqual([
    "passed",
    undefined,
    "failed",
  ]);
  expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 4, releasedVersion: 2 });
});

test("the last version of a buffered task gets its verdict before the task is finished, and nobody trains for it", async () => {
  const room = await open();
  await gatedTask(room, { rounds: 1 });
  const { training, heldOut } = await split(room, 2, 2);
  await trainOnce(training, await bodyMaker(room));
  const offers = await Promise.all(heldOut.map((device) => device.socket.next("offer-measurement")));
  const underWay = await room.store.rounds.open();
  expect(underWay.map(({ purpose }) => purpose)).toEqual(["gate"]);
  expect((await room.registry.task(task)).state).toBe("running");
  await Promise.all(heldOut.map((device, i) => answerOffer(room, device, offers[i]!, paired(6, 0))));
  await vi.waitFor(async () => expect((await room.registry.task(task)).state).toBe("finished"), 10_000);
  expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 2, releasedVersion: 2 });
});

test("a buffered task with too few held-out devices goes on undecided", async () => {
  const room = await open();
  await gatedTask(room, { cohort: { goalCount: 2, minimumCount: 2, trainDeadlineMs: 1_500 } });
  const { training } = await split(room, 2, 0);
  await trainOnce(training, await bodyMaker(room));
  await vi.waitFor(async () => expect(await verdictOn(room, 2)).toBe("undecided"), 10_000);
  expect(await gateOf(room)).toMatchObject({ reference: 1, failures: 0, candidate: null });
  expect(await room.store.models.get(model)).toMatchObject({ releasedVersion: 1 });
});

test("a buffered task pauses when its gate has lost patience", async () => {
  const room = await open();
  await gatedTask(room, { gate: { ...gate, patience: 1 } });
  const { training, heldOut } = await split(room, 2, 2);
  await trainOnce(training, await bodyMaker(room));
  await Promise.all(heldOut.map((device) => tell(room, device, paired(0, 4))));
  await vi.waitFor(
    async () =>
      expect(await room.store.tasks.get(task)).toMatchObject({ state: "paused", reason: { code: "gate" } }),
    10_000,
  );
  await vi.waitFor(async () => expect(await room.store.rounds.open()).toEqual([]), 10_000);
});

test("a task that only measures runs beside a buffered one, and gets its share of the devices", async () => {
  const room = await open();
  await gatedTask(room, { gate: null, release: "every" });
  await room.registry.createTask({
    name: "health",
    model,
    kind: "telemetry",
    telemetry: ["errors"],
    rounds: 1,
    cohort: { goalCount: 2, minimumCount: 2 },
    secureAggregation: { mode: "off" },
  });
  const devices = await Promise.all([room.device(), room.device()]);
  for (const { socket } of devices)
    socket.send({ type: "check-in", task: asTaskName("health"), examples: 1 });
  const offers = await Promise.all(devices.map(({ socket }) => socket.next("offer-measurement")));
  // One thing at a time: until they have measured, nobody has them train.
  for (const device of devices) device.checkIn();
  await Promise.all(
    devices.map(async (device, i) => {
      const { length } = (await planOf(room, offers[i]!)).metrics;
      await answerOffer(room, device, offers[i]!, new Float64Array(length).fill(1), 1);
      expect(await device.socket.next("outcome")).toMatchObject({ result: "committed" });
    }),
  );
  await trainOnce(devices, await bodyMaker(room));
  await vi.waitFor(
    async () => expect((await room.registry.task(asTaskName("health"))).state).toBe("finished"),
    10_000,
  );
});

test("what only measures is refused in buffered mode, with the reason", () => {
  const document = {
    name: "digits",
    model,
    kind: "telemetry",
    secureAggregation: { mode: "off" },
    rounds: 1,
  };
  expect(() => parseTaskSpec({ ...document, mode: { type: "buffered", bufferSize: 4 } })).toThrow(
    'must be synchronous for kind "telemetry", which makes no versions',
  );
});
