import { asModelName, asTaskName, type TaskName } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { buildLinear } from "@tributary/onnx";
import { parsePlan } from "@tributary/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { bodyMaker, publishTask, RoundDevice, rooms, startRoom, type Room } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const alone = { goalCount: 1, minimumCount: 1 };
const HOUR_MS = 3_600_000;

/** A device that trains whatever it is offered, and reports. */
function keepReporting(device: RoundDevice, body: Awaited<ReturnType<typeof bodyMaker>>): Promise<unknown> {
  const go = async (): Promise<never> => {
    for (;;) await device.report((offer) => body(offer));
  };
  return go().catch(() => undefined);
}

/** Another task, with a model of its own. */
async function publishBeside(room: Room, name: string, cohort: object): Promise<void> {
  await room.registry.publish(asModelName(name), buildLinear({ seed: 1 }));
  await room.registry.createTask({ name, model: name, cohort, secureAggregation: { mode: "off" } });
}

const taskRow = (room: Room) => room.store.tasks.get(task);

async function stoppedWith(room: Room, code: string) {
  return vi.waitFor(
    async () => {
      const row = await taskRow(room);
      expect(row?.reason?.code).toBe(code);
      return row!;
    },
    { timeout: 15_000, interval: 20 },
  );
}

test("a task that gets no better is finished, says why, and goes on when it is resumed", async () => {
  const room = await open();
  const stop = { noImprovement: { rounds: 2, minimumChange: 1_000 } };
  await publishTask(room, { stop, cohort: alone });
  const device = await room.device();
  void keepReporting(device, await bodyMaker(room));
  device.checkIn();
  const row = await stoppedWith(room, "no-improvement");
  expect(row).toMatchObject({ state: "finished" });
  expect(row.reason?.message).toMatch(/^loss [\d.]+ of round 1 was not improved by 1000 in 2 rounds$/);
  expect(await room.store.rounds.countCommitted(task)).toBe(3);
  const events = await room.store.events.after(0, 1_000);
  const last = events.findLast(({ type }) => type === "task");
  expect(last?.data).toMatchObject({ state: "finished", reason: row.reason, roundsCommitted: 3 });

  await room.registry.changeTask(task, { state: "running" });
  await vi.waitFor(async () => expect(await room.store.rounds.countCommitted(task)).toBe(6), {
    timeout: 15_000,
  });
  expect((await stoppedWith(room, "no-improvement")).reason?.message).toContain("of round 4 ");
});

test("rounds that fail are tried again later and later; after enough of them the task pauses itself", async () => {
  const clock = createVirtualClock();
  const room = await open({ clock });
  const retries = { maxConsecutiveFailures: 3, backoffMs: 10_000, maxBackoffMs: 60_000 };
  await publishTask(room, { retries, cohort: { ...alone, trainDeadlineMs: 1_000 } });
  const device = await room.device();
  device.checkIn();
  const delaysMs: number[] = [];
  for (let failures = 1; failures <= 3; failures++) {
    await device.offer();
    clock.advance(1_000);
    await vi.waitFor(() => expect(room.rounds.activity(task)?.failures).toBe(failures));
    if (failures === 3) break;
    const nextRoundAt = await vi.waitFor(() => {
      const at = room.rounds.activity(task)?.nextRoundAt;
      expect(at).not.toBeNull();
      return at!;
    });
    delaysMs.push(nextRoundAt - clock.now());
    clock.advance(nextRoundAt - clock.now());
  }
  await vi.waitFor(async () => expect((await taskRow(room))?.state).toBe("paused"));
  expect((await taskRow(room))?.reason).toEqual({
    code: "consecutive-failures",
    message: "3 rounds in a row failed, the last with round/too-few-ready",
  });
  for (const [i, most] of [10_000, 20_000].entries()) {
    expect(delaysMs[i]).toBeGreaterThanOrEqual(most / 2);
    expect(delaysMs[i]).toBeLessThanOrEqual(most);
  }

  await room.registry.changeTask(task, { state: "running" });
  void keepReporting(device, await bodyMaker(room));
  await vi.waitFor(async () => expect(await room.store.rounds.countCommitted(task)).toBeGreaterThan(0), {
    timeout: 15_000,
  });
});

describe("a schedule", () => {
  const NIGHT = { windows: [{ cron: "0 22 * * *", durationMs: 2 * HOUR_MS }], timeZone: "UTC" };

  test("lets rounds begin in its windows only, and tells devices and operators when the next one opens", async () => {
    const midnight = Date.UTC(2026, 0, 5);
    const clock = createVirtualClock({ startMs: midnight });
    const room = await open({ clock });
    await publishTask(room, { schedule: NIGHT, cohort: alone });
    const told: unknown[] = [];
    room.bus.subscribe("event", ({ type, data }) => {
      if (type === "activity") told.push(data);
    });
    const activity = () => room.rounds.activity(task);
    await vi.waitFor(() => expect(activity()?.nextRoundAt).toBe(midnight + 22 * HOUR_MS));
    const device = await room.device();
    device.checkIn();
    expect(await device.socket.next("wait")).toMatchObject({ retryAfterMs: 22 * HOUR_MS });
    expect(await room.store.rounds.lastNumber(task)).toBe(0);
    clock.advance(1_000);
    await vi.waitFor(() =>
      expect(told.at(-1)).toMatchObject({
        task,
        checkedIn: 1,
        nextRoundAt: new Date(midnight + 22 * HOUR_MS).toISOString(),
      }),
    );
    // Nothing changed since, and it is not told again.
    const times = told.length;
    device.checkIn();
    expect(await device.socket.next("wait")).toMatchObject({ task });
    clock.advance(5_000);
    expect(told).toHaveLength(times);

    // Someone sets the clock to five past ten in the evening: it is looked at once a minute.
    clock.setNow(midnight + 22 * HOUR_MS + 300_000);
    clock.advance(60_000);
    await device.offer();
  });

  test("ends a round that has not begun to train when its window closes", async () => {
    const evening = Date.UTC(2026, 0, 5, 23, 30);
    const clock = createVirtualClock({ startMs: evening });
    const room = await open({ clock });
    await publishTask(room, { schedule: NIGHT, cohort: alone });
    await vi.waitFor(async () => expect(await room.store.rounds.open()).toHaveLength(1));
    clock.advance(29 * 60_000);
    expect(await room.store.rounds.open()).toHaveLength(1);
    clock.advance(60_000);
    await vi.waitFor(async () =>
      expect(await room.store.rounds.list(task)).toMatchObject([{ reason: "round/outside-schedule" }]),
    );
    await vi.waitFor(() => expect(room.rounds.activity(task)?.nextRoundAt).toBe(Date.UTC(2026, 0, 6, 22)));
  });
});

test("a device sits out for the task's separation, over a restart of the coordinator too", async () => {
  const clock = createVirtualClock();
  const folder = await temporaryFolder();
  let room = await startRoom(folder.path, { clock });
  try {
    await publishTask(room, { cohort: alone, selection: { minimumSeparationMs: HOUR_MS } });
    const body = await bodyMaker(room);
    const device = await room.device();
    device.checkIn();
    await device.report((offer) => body(offer));
    await device.socket.next("outcome");
    await vi.waitFor(() => expect(room.rounds.activity(task)).toMatchObject({ checkedIn: 1, sittingOut: 1 }));
    await device.socket.close();
    await room.stop();

    room = await startRoom(folder.path, { clock });
    const again = await RoundDevice.connect(room.url, device.identity);
    clock.advance(60_000);
    await vi.waitFor(async () => expect(await room.store.rounds.open()).toHaveLength(1));
    again.checkIn();
    expect((await again.socket.next("wait")).retryAfterMs).toBe(HOUR_MS - 60_000);
    clock.advance(HOUR_MS - 60_000);
    again.checkIn();
    // The restart ended the second round.
    expect((await again.offer()).round).toBe(3);
  } finally {
    await room.stop();
    await folder.remove();
  }
});

test("devices that are not asked are counted by the rule they do not meet, until they check in or go", async () => {
  const room = await open();
  const eligibility = { battery: {}, network: "unmetered" };
  await publishTask(room, { cohort: alone, eligibility });
  const plan = parsePlan(await room.blobs.bytes((await taskRow(room))!.plan.digest));
  expect(plan).toMatchObject({ eligibility: { battery: { charging: true }, network: "unmetered" } });
  expect(plan).not.toHaveProperty("selection");
  const [one, two] = await Promise.all([room.device(), room.device()]);
  const say = (device: RoundDevice, reason: "battery" | "network") =>
    device.socket.send({ type: "ineligible", task, reason });
  say(one, "battery");
  say(two, "network");
  const ineligible = () => room.rounds.activity(task)?.ineligible;
  await vi.waitFor(() => expect(ineligible()).toEqual({ battery: 1, network: 1 }));
  two.checkIn();
  await two.offer();
  expect(ineligible()).toEqual({ battery: 1 });
  const response = await fetch(`${room.url}/v1/tasks/${task}/activity`);
  expect(await response.json()).toMatchObject({
    checkedIn: 1,
    ineligible: { battery: 1 },
    nextRoundAt: null,
  });
  await one.socket.close();
  await vi.waitFor(() => expect(ineligible()).toEqual({}));
  // One that declines for such a reason is not asked again before it checks in.
  const { id: roundId } = (await room.store.rounds.open())[0]!;
  two.socket.send({ type: "decline", roundId, code: "federation/too-soon" });
  expect(await two.socket.next("wait")).toMatchObject({ task });
  expect(room.rounds.activity(task)?.checkedIn).toBe(0);
});

test("a task keeps no device that it could not ask", async () => {
  const room = await open();
  await publishTask(room, { cohort: alone });
  await publishBeside(room, "letters", alone);
  await vi.waitFor(async () => expect(await room.store.rounds.open()).toHaveLength(2));
  const device = await room.device();
  device.checkIn(0);
  device.checkIn(10, "letters");
  expect((await device.offer()).task).toBe("letters");
});

test("three tasks share thirty devices: each device does one thing at a time, and each task gets its part", async () => {
  const room = await open();
  const names = ["digits", "letters", "signs"];
  const cohort = { goalCount: 16, minimumCount: 16, overSelection: 1 };
  await publishTask(room, { cohort });
  for (const name of names.slice(1)) await publishBeside(room, name, cohort);
  const body = await bodyMaker(room);
  const devices = await Promise.all(Array.from({ length: 30 }, () => room.device()));
  let atOnce = 0;
  for (const device of devices) {
    let doing: TaskName | undefined;
    const go = async (): Promise<never> => {
      for (;;) {
        const offer = await device.offer();
        if (doing !== undefined && doing !== offer.task) atOnce += 1;
        doing = offer.task;
        const update = body(offer);
        device.ready(offer, update);
        await device.put(await device.socket.next("request-report"), update);
        await device.socket.next("outcome");
        doing = undefined;
      }
    };
    go().catch(() => undefined);
    for (const name of names) device.checkIn(10, name);
  }
  const committed = () =>
    Promise.all(names.map((name) => room.store.rounds.countCommitted(asTaskName(name))));
  await vi.waitFor(
    async () => expect((await committed()).reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(8),
    { timeout: 30_000, interval: 50 },
  );
  const counts = await committed();
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  expect(atOnce).toBe(0);
});
