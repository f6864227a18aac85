import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Device } from "../../src/device.ts";
import { nodeConditions } from "../../src/node/node-conditions.ts";
import { rarerCalls } from "../../src/rarer.ts";
import { withBattery, type BatteryState } from "../../src/worker/battery.ts";
import { browserConditions } from "../../src/worker/browser-conditions.ts";

describe("a browser", () => {
  test("tells what its worker knows, and null for the rest", async () => {
    expect(await browserConditions({ language: "de-CH" }, {}).read()).toEqual({
      engines: ["ort-wasm"],
      memoryMb: null,
      battery: null,
      network: null,
      durableStorage: false,
      languages: ["de-CH"],
    });
    const connection = Object.assign(new EventTarget(), { saveData: false, type: "cellular" });
    const gpu = { requestAdapter: async () => ({}) };
    const chromium = { deviceMemory: 4, connection, languages: ["en", "fr"], gpu };
    const conditions = browserConditions(chromium, {});
    expect(await conditions.read()).toMatchObject({
      engines: ["ort-webgpu", "ort-wasm"],
      memoryMb: 4_096,
      network: "metered",
      languages: ["en", "fr"],
    });
    let changes = 0;
    const unfollow = conditions.follow(() => (changes += 1));
    connection.type = "wifi";
    connection.dispatchEvent(new Event("change"));
    unfollow();
    connection.dispatchEvent(new Event("change"));
    expect([changes, (await conditions.read()).network]).toEqual([1, "unmetered"]);
    connection.saveData = true;
    expect((await conditions.read()).network).toBe("metered");
  });

  test.each([
    [{ requestAdapter: async () => null }, {}],
    [{ requestAdapter: () => Promise.reject(new Error("lost")) }, {}],
    [{ requestAdapter: async () => ({ info: { isFallbackAdapter: true } }) }, {}],
    [{ requestAdapter: async () => ({}) }, { prefer: "wasm" as const }],
  ])("without a GPU that is used it has WASM alone", async (gpu, engine) => {
    expect((await browserConditions({ gpu }, engine).read()).engines).toEqual(["ort-wasm"]);
  });

  test("a page tells its worker the battery, from the first participation on", async () => {
    await rarerCalls.load();
    const battery = Object.assign(new EventTarget(), { charging: true, level: 0.5 });
    const told: unknown[] = [];
    const device = {
      participate: async () => {},
      setBattery: async (value: unknown) => void told.push(value),
    } as unknown as Device;
    const aware = withBattery(device, { getBattery: async () => battery as BatteryState });
    expect(told).toEqual([]);
    const consent = { consent: true, when: "always" } as const;
    await aware.participate(consent);
    await aware.participate(consent);
    await vi.waitFor(() => expect(told).toHaveLength(1));
    battery.charging = false;
    battery.dispatchEvent(new Event("chargingchange"));
    expect(told).toEqual([
      { charging: true, level: 0.5 },
      { charging: false, level: 0.5 },
    ]);
    await withBattery(device, {}).participate(consent);
    await withBattery(device, { getBattery: () => Promise.reject(new Error("no")) }).participate(consent);
    expect(told).toHaveLength(2);
  });
});

describe("Node", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tributary-power-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const supply = async (name: string, files: Record<string, string>) => {
    await mkdir(join(folder, name));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), `${text}\n`);
  };
  const battery = async (where = folder) => (await nodeConditions(["ort-node"], where).read()).battery;

  test("tells engine, memory and language, and the battery where Linux shows one", async () => {
    expect(await nodeConditions(["ort-node"], folder).read()).toMatchObject({
      engines: ["ort-node"],
      network: null,
      languages: [expect.stringMatching(/^[a-z]{2}/)],
    });
    expect((await nodeConditions(["ort-node"], folder).read()).memoryMb).toBeGreaterThan(100);
    expect(await battery(join(folder, "nothing"))).toBeNull();
    await supply("AC", { type: "Mains", online: "1" });
    await supply("mouse", { type: "Battery", scope: "Device", capacity: "7", status: "Discharging" });
    expect(await battery()).toBe("none");
    await supply("BAT0", { type: "Battery", capacity: "80", status: "Discharging" });
    expect(await battery()).toEqual({ charging: false, level: 0.8 });
    await writeFile(join(folder, "BAT0", "status"), "Charging\n");
    expect(await battery()).toEqual({ charging: true, level: 0.8 });
  });
});
