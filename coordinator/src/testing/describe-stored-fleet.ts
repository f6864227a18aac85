import { asModelName, asModelVersion, asPopulationName, type DeviceId } from "@tributary/core";
import { expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceNews, FleetFilter } from "../ports/device-records.ts";
import { exampleDevice } from "./records.ts";

const DIGITS = asModelName("digits");
const CLINICS = asPopulationName("clinics");
const HOUR_MS = 3_600_000;

const idOf = (index: number): DeviceId => exampleDevice(index).deviceId;

function heard(index: number, at: number, changes: Partial<DeviceNews> = {}): DeviceNews {
  return { deviceId: idOf(index), at, checkIns: 1, software: "app/1", versions: [], ...changes };
}

const runs = (version: number, engine?: string): DeviceNews["versions"] => [
  { model: DIGITS, version: asModelVersion(version), ...(engine === undefined ? {} : { engine }) },
];

/** What devices tell of themselves, and the fleet that they are; part of the metadata store's suite. */
export function describeStoredFleet(opened: () => MetadataStore): void {
  async function openFleet(): Promise<MetadataStore> {
    const store = opened();
    for (const index of [1, 2, 3]) await store.devices.enrol(exampleDevice(index));
    await store.devices.enrol(exampleDevice(4, { population: CLINICS }));
    return store;
  }

  test("devices are found by all that is given, page by page", async () => {
    const store = await openFleet();
    const { fleet } = store;
    await fleet.record([
      heard(1, 5_000, { versions: runs(1, "ort-wasm") }),
      heard(2, 6_000, { versions: runs(2), software: "app/2" }),
      heard(4, 7_000, { versions: runs(2, "ort-node") }),
    ]);
    await fleet.setTags(idOf(2), ["pilot", "lab"]);
    await fleet.setTags(idOf(4), ["pilot"]);
    const found = async (filter: FleetFilter): Promise<number[]> => {
      const records = await fleet.list(filter, { limit: 10 });
      expect(await fleet.count(filter)).toBe(records.length);
      return records.map(({ deviceId }) => Number.parseInt(deviceId, 16));
    };
    expect(await found({})).toEqual([1, 2, 3, 4]);
    expect(await found({ population: CLINICS })).toEqual([4]);
    expect(await found({ tag: "pilot" })).toEqual([2, 4]);
    expect(await found({ tag: "lab", population: CLINICS })).toEqual([]);
    expect(await found({ software: "app/2" })).toEqual([2]);
    expect(await found({ model: DIGITS })).toEqual([1, 2, 4]);
    expect(await found({ model: DIGITS, version: asModelVersion(2) })).toEqual([2, 4]);
    expect(await found({ model: DIGITS, version: asModelVersion(2), tag: "pilot" })).toEqual([2, 4]);
    expect(await found({ model: DIGITS, engine: "ort-node" })).toEqual([4]);
    expect(await found({ seenSince: 6_000 })).toEqual([2, 4]);
    expect(await found({ seenBefore: 6_000 })).toEqual([1, 3]);
    expect(await found({ search: idOf(3).slice(0, 32) })).toEqual([3]);
    expect(await found({ search: "f" })).toEqual([]);

    const page = async (filter: FleetFilter, after?: DeviceId) =>
      (await fleet.list(filter, { limit: 1, ...(after === undefined ? {} : { after }) })).map(
        ({ deviceId }) => deviceId,
      );
    expect(await page({ tag: "pilot" })).toEqual([idOf(2)]);
    expect(await page({ tag: "pilot" }, idOf(2))).toEqual([idOf(4)]);
    expect(await page({ model: DIGITS }, idOf(1))).toEqual([idOf(2)]);
    expect(await page({}, idOf(4))).toEqual([]);

    const { publicKey: _, ...device } = exampleDevice(2, { lastSeenAt: 6_000, software: "app/2" });
    expect(await fleet.get(idOf(2))).toEqual({
      ...device,
      versions: [{ model: DIGITS, version: 2, engine: null, at: 6_000 }],
      tags: ["lab", "pilot"],
    });
    expect(await fleet.get(idOf(9))).toBeUndefined();
  });

  test("an engine is kept while the version stays, and what is told later takes the place of what was before", async () => {
    const { fleet } = await openFleet();
    const engine = async () => (await fleet.get(idOf(1)))?.versions[0]?.engine;
    await fleet.record([heard(1, 1, { versions: runs(1, "ort-wasm") })]);
    await fleet.record([heard(1, 2, { versions: runs(1) })]);
    expect(await engine()).toBe("ort-wasm");
    await fleet.record([heard(1, 3, { versions: runs(2) })]);
    expect(await engine()).toBeNull();
    await fleet.setTags(idOf(1), ["old"]);
    await fleet.setTags(idOf(1), ["new"]);
    expect((await fleet.get(idOf(1)))?.tags).toEqual(["new"]);
  });

  test("the fleet is counted by what its devices have in common, without those that are refused or long gone", async () => {
    const store = await openFleet();
    const { fleet } = store;
    await fleet.record([
      heard(1, 50, { versions: runs(1, "ort-wasm") }),
      heard(2, 60, { versions: runs(2) }),
      heard(3, 60, { versions: runs(2, "ort-wasm"), software: "app/2" }),
      heard(4, 10, { versions: runs(1) }),
    ]);
    await fleet.setTags(idOf(2), ["pilot"]);
    await fleet.setTags(idOf(4), ["pilot"]);
    await store.devices.setState(idOf(3), "revoked", 0);
    // Nothing is kept of what a revoked device says, or one that nobody knows.
    await fleet.record([heard(3, 70, { versions: runs(3) }), heard(9, 70, { versions: runs(3) })]);
    expect(await fleet.counts({ seenSince: 50, limit: 10 })).toEqual({
      known: 4,
      active: 2,
      revoked: 1,
      populations: [{ population: "default", devices: 2 }],
      versions: [
        { model: "digits", version: 1, devices: 2 },
        { model: "digits", version: 2, devices: 1 },
      ],
      engines: [
        { model: "digits", engine: null, devices: 2 },
        { model: "digits", engine: "ort-wasm", devices: 1 },
      ],
      software: [{ software: "app/1", devices: 2 }],
      tags: [{ tag: "pilot", devices: 2 }],
    });
    expect(await fleet.counts({ population: CLINICS, seenSince: 0, limit: 10 })).toMatchObject({
      known: 1,
      versions: [{ version: 1, devices: 1 }],
      tags: [{ tag: "pilot", devices: 1 }],
    });
    await fleet.prune({ hour: 0, seenBefore: 50 });
    expect((await fleet.counts({ seenSince: 0, limit: 1 })).versions).toHaveLength(1);
    expect((await fleet.get(idOf(4)))?.versions).toEqual([]);
    // Whoever is erased is not told of either.
    await store.devices.erase(idOf(2), idOf(8));
    expect((await fleet.counts({ seenSince: 0, limit: 10 })).tags).toEqual([{ tag: "pilot", devices: 1 }]);
  });

  test("hours count check-ins and different devices, and note which versions run at their end", async () => {
    const { fleet } = await openFleet();
    await fleet.record([
      heard(1, 10),
      heard(2, 20, { versions: runs(1) }),
      heard(4, 30, { versions: runs(1) }),
    ]);
    await fleet.record([
      heard(1, 40, { versions: runs(1) }),
      heard(1, HOUR_MS + 1),
      heard(2, HOUR_MS + 2, { checkIns: 0 }),
    ]);
    expect(await fleet.hours({ since: 0 })).toEqual([
      { hour: 0, checkIns: 4, devices: 3 },
      { hour: 1, checkIns: 1, devices: 2 },
    ]);
    expect(await fleet.hours({ since: 0, population: CLINICS })).toEqual([
      { hour: 0, checkIns: 1, devices: 1 },
    ]);
    await fleet.noteAdoption(0);
    await fleet.record([heard(2, HOUR_MS + 3, { versions: runs(2) })]);
    await fleet.noteAdoption(1);
    await fleet.noteAdoption(1);
    expect(await fleet.adoption(DIGITS, { since: 0 })).toEqual([
      { hour: 0, version: 1, devices: 3 },
      { hour: 1, version: 1, devices: 2 },
      { hour: 1, version: 2, devices: 1 },
    ]);
    expect(await fleet.adoption(DIGITS, { since: 1, population: CLINICS })).toEqual([
      { hour: 1, version: 1, devices: 1 },
    ]);
    await fleet.prune({ hour: 1, seenBefore: 0 });
    expect((await fleet.hours({ since: 0 })).map(({ hour }) => hour)).toEqual([1]);
    expect((await fleet.adoption(DIGITS, { since: 0 })).map(({ hour }) => hour)).toEqual([1, 1]);
  });
}
