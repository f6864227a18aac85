import { asModelName, silentLogger, systemClock, systemEnv } from "@tributary/core";
import { deleteDB, openDB } from "idb";
import { afterEach, describe, expect, test } from "vitest";
import { createExamples, type Examples } from "../../src/examples/examples.ts";
import { openBrowserStore } from "../../src/store/browser-store.ts";
import type { DeviceStore } from "../../src/store/device-store.ts";
import { describeDeviceStore } from "../../src/testing/index.ts";

function examplesOf(store: DeviceStore): Examples {
  return createExamples({ store, env: systemEnv(), policyOf: () => undefined });
}

const NAME = "tributary-store-test";
/** A page writes no files of the origin private file system: everything is in IndexedDB. */
const open = () => openBrowserStore({ name: NAME, clock: systemClock, log: silentLogger });

describeDeviceStore("IndexedDB", {
  open,
  remove: () => deleteDB(NAME),
});

describe("IndexedDB that the browser meddles with", () => {
  afterEach(() => deleteDB(NAME));
  const digits = asModelName("digits");
  const example = { inputs: [Uint8Array.of(1, 2)], label: 3 };

  test("storage that was cleared reads as empty and takes new writes", async () => {
    const store = await open();
    await examplesOf(store).add(digits, [example]);
    await deleteDB(NAME); // what "clear site data" does: our connection gets a versionchange and lets go
    expect(await examplesOf(store).count(digits)).toBe(0);
    await examplesOf(store).add(digits, [example]);
    expect(await examplesOf(store).count(digits)).toBe(1);
    await store.close();
  });

  test("examples kept by an earlier release, of one input each, are read, and sealed with that", async () => {
    const store = await open();
    await examplesOf(store).add(digits, [example]);
    const raw = await openDB(NAME);
    await raw.add("examples", { model: digits, features: Float32Array.of(0.5), label: Float32Array.of(2) });
    raw.close();
    expect(await examplesOf(store).read(digits)).toEqual([
      example,
      { inputs: [Float32Array.of(0.5)], label: Float32Array.of(2) },
    ]);
    expect((await store.examples.read(digits)).every((page) => "sealed" in page)).toBe(true);
    await store.close();
  });

  test("a database written by a newer version of the page is a coded error", async () => {
    (await openDB(NAME, 1000)).close();
    const store = await open();
    await expect(examplesOf(store).count(digits)).rejects.toMatchObject({ code: "store/newer-schema" });
    await store.close();
  });

  test("a closed store refuses, and close waits for what runs", async () => {
    const store = await open();
    const adding = store.examples.change(digits, { add: [Uint8Array.of(1)], remove: [] });
    await store.close();
    await adding;
    await expect(examplesOf(store).count(digits)).rejects.toMatchObject({ code: "store/unavailable" });
    const again = await open();
    expect(await again.examples.ids(digits)).toHaveLength(1);
    await again.close();
  });
});
