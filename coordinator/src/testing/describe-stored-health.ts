import { asModelName, asModelVersion, asPopulationName } from "@tributary/core";
import { expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceHealthRecord } from "../ports/device-records.ts";
import { exampleDevice, exampleModel } from "./records.ts";

const DIGITS = asModelName("digits");

function told(
  device: number,
  version: number,
  at: number,
  changes: Partial<DeviceHealthRecord> = {},
): DeviceHealthRecord {
  return {
    deviceId: exampleDevice(device).deviceId,
    model: DIGITS,
    version: asModelVersion(version),
    population: asPopulationName("default"),
    engine: "ort-wasm",
    counts: [1, 0, 2],
    sessions: [["a".repeat(32), 3]],
    firstAt: 1,
    at,
    ...changes,
  };
}

/** How versions fare on single devices; part of the metadata store's suite. */
export function describeStoredHealth(opened: () => MetadataStore): void {
  test("what devices tell is kept by version and device, replaced, bounded and forgotten", async () => {
    const store = opened();
    await store.models.insert(exampleModel());
    const { deviceHealth } = store;
    for (const version of [1, 2, 3]) await deviceHealth.put(told(1, version, version), 2);
    await deviceHealth.put(told(2, 3, 9), 2);
    await deviceHealth.put(told(2, 3, 10, { counts: [5] }), 2);
    const keysOf = (list: readonly DeviceHealthRecord[]) =>
      list.map(({ deviceId, version }) => [deviceId, version]);
    const [first, second] = [1, 2].map((index) => exampleDevice(index).deviceId).toSorted();
    const all = await deviceHealth.list(DIGITS, { limit: 10 });
    // The oldest of the first device went.
    expect(keysOf(all)).toEqual([
      [first, 3],
      [second, 3],
      [exampleDevice(1).deviceId, 2],
    ]);
    expect(await deviceHealth.get(told(2, 3, 0))).toEqual(told(2, 3, 10, { counts: [5] }));
    expect(await deviceHealth.get(told(1, 1, 0))).toBeUndefined();
    expect(keysOf(await deviceHealth.list(DIGITS, { limit: 1, after: all[0]! }))).toEqual([[second, 3]]);
    expect(keysOf(await deviceHealth.list(DIGITS, { limit: 5, after: all[1]! }))).toEqual([
      [exampleDevice(1).deviceId, 2],
    ]);
    expect(await deviceHealth.countDevices()).toBe(2);
    await deviceHealth.prune(3);
    expect(await deviceHealth.list(DIGITS, { limit: 10 })).toHaveLength(2);
    // Whoever is erased is not told of either.
    await store.devices.enrol(exampleDevice(2));
    await store.devices.erase(exampleDevice(2).deviceId, exampleDevice(8).deviceId);
    expect(keysOf(await deviceHealth.list(DIGITS, { limit: 10 }))).toEqual([[exampleDevice(1).deviceId, 3]]);
  });
}
