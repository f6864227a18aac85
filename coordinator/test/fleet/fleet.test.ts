import { asDeviceId, asModelName, asModelVersion, type DeviceId } from "@tributary/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFleet, NOTE_MS, WRITE_MS, type Fleet } from "../../src/fleet/fleet.ts";
import { fleetHistory } from "../../src/fleet/fleet-view.ts";
import { exampleDevice } from "../../src/testing/records.ts";
import { openRoom, type Room } from "../room.ts";

const HOUR_MS = 3_600_000;
const DIGITS = asModelName("digits");
const [ONE, TWO] = [exampleDevice(1).deviceId, exampleDevice(2).deviceId];
const version = (number: number) => ({ model: DIGITS, version: asModelVersion(number) });

let room: Room;
let fleet: Fleet;
let connected: DeviceId[];
beforeEach(async () => {
  room = await openRoom();
  for (const index of [1, 2]) await room.store.devices.enrol(exampleDevice(index));
  connected = [];
  fleet = createFleet({ env: room.env, store: room.store, connected: () => connected });
});
afterEach(async () => {
  await fleet.close();
  expect(room.clock.pendingTimers).toBe(0);
  await room.dispose();
});

test("what devices tell is written together, within a second or when somebody looks", async () => {
  const record = vi.spyOn(room.store.fleet, "record");
  fleet.checkedIn(ONE, "app/1");
  fleet.runs(ONE, version(1));
  fleet.runs(ONE, { ...version(1), engine: "ort-wasm" });
  fleet.runs(ONE, version(1));
  fleet.checkedIn(TWO, "app/1");
  expect(await room.store.fleet.get(ONE)).toMatchObject({ lastSeenAt: null, versions: [] });
  room.clock.advance(WRITE_MS);
  await vi.waitFor(async () =>
    expect(await room.store.fleet.get(TWO)).toMatchObject({ lastSeenAt: room.clock.now() - WRITE_MS }),
  );
  expect(record).toHaveBeenCalledTimes(1);
  expect(await room.store.fleet.get(ONE)).toMatchObject({
    software: "app/1",
    versions: [{ version: 1, engine: "ort-wasm" }],
  });
  room.clock.advance(1);
  fleet.left(ONE);
  await fleet.freshen();
  expect(await room.store.fleet.get(ONE)).toMatchObject({ lastSeenAt: room.clock.now() });
});

test("a device that stays connected is there in each hour, and what runs is noted without anybody asking", async () => {
  connected = [ONE];
  fleet.checkedIn(ONE, "app/1");
  fleet.runs(ONE, version(1));
  const hours = async () => room.store.fleet.hours({ since: 0 });
  const start = Math.floor(room.clock.now() / HOUR_MS);
  for (let noted = 0; noted <= HOUR_MS / NOTE_MS; noted++) {
    room.clock.advance(NOTE_MS);
    await vi.waitFor(() => expect(room.clock.pendingTimers).toBe(1));
  }
  expect(await hours()).toEqual([
    { hour: start, checkIns: 1, devices: 1 },
    { hour: start + 1, checkIns: 0, devices: 1 },
  ]);
  expect(await room.store.fleet.adoption(DIGITS, { since: 0 })).toEqual([
    { hour: start, version: 1, devices: 1 },
    { hour: start + 1, version: 1, devices: 1 },
  ]);
});

test("a store that fails costs what was heard, and nothing else", async () => {
  const failing = createFleet({
    env: room.env,
    store: { fleet: { ...room.store.fleet, record: () => Promise.reject(new Error("disk")) } },
    connected: () => [],
  });
  failing.checkedIn(ONE, "app/1");
  await expect(failing.freshen()).rejects.toThrow("disk");
  failing.checkedIn(asDeviceId("f".repeat(32)), "app/1");
  await expect(failing.close()).rejects.toThrow("disk");
});

test("a history of any length has at most some 240 points, of the versions that ran on most devices", async () => {
  const nowMs = 100_000 * HOUR_MS;
  const at = (hour: number) => new Date(hour * HOUR_MS).toISOString();
  const store = {
    fleet: {
      ...room.store.fleet,
      hours: async () => [99_991, 99_992, 99_999].map((hour) => ({ hour, checkIns: 2, devices: hour % 10 })),
      adoption: async () =>
        Array.from({ length: 14 }, (_, i) => ({
          hour: i === 0 ? 99_990 : 99_992,
          version: asModelVersion(i + 1),
          devices: i === 0 ? 99 : i,
        })),
    },
  };
  const history = await fleetHistory(store, { nowMs, hours: 2_160, model: DIGITS });
  expect(history).toEqual({
    stepHours: 9,
    checkIns: [
      { at: at(99_990), checkIns: 4, devices: 2 },
      { at: at(99_999), checkIns: 2, devices: 9 },
    ],
    versions: [1, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    // Of the last hour of the step alone.
    adoption: [{ at: at(99_990), devices: [0, 5, 6, 7, 8, 9, 10, 11, 12, 13], others: 1 + 2 + 3 + 4 }],
  });
});
