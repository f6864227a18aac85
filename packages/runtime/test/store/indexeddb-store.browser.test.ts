import { asModelName, systemClock } from "@tributary/core";
import { deleteDB, openDB } from "idb";
import { afterEach, describe, expect, test } from "vitest";
import { createIndexedDbStore } from "../../src/store/indexeddb-store.ts";
import { describeDeviceStore } from "../../src/testing/index.ts";

const NAME = "tributary-store-test";
const open = () => createIndexedDbStore({ name: NAME, clock: systemClock });

describeDeviceStore("IndexedDB", {
  open: async () => open(),
  remove: () => deleteDB(NAME),
});

describe("IndexedDB that the browser meddles with", () => {
  afterEach(() => deleteDB(NAME));
  const digits = asModelName("digits");
  const example = { inputs: [Uint8Array.of(1, 2)], label: 3 };

  test("storage that was cleared reads as empty and takes new writes", async () => {
    const store = open();
    await store.examples.add(digits, [example]);
    await deleteDB(NAME); // what "clear site data" does: our connection gets a versionchange and lets go
    expect(await store.examples.count(digits)).toBe(0);
    await store.examples.add(digits, [example]);
    expect(await store.examples.count(digits)).toBe(1);
    await store.close();
  });

  test("examples kept by an earlier release, of one input each, are read", async () => {
    const store = open();
    await store.examples.add(digits, [example]);
    const raw = await openDB(NAME);
    await raw.add("examples", { model: digits, features: Float32Array.of(0.5), label: Float32Array.of(2) });
    raw.close();
    expect(await store.examples.read(digits)).toEqual([
      example,
      { inputs: [Float32Array.of(0.5)], label: Float32Array.of(2) },
    ]);
    await store.close();
  });

  test("a database written by a newer version of the page is a coded error", async () => {
    (await openDB(NAME, 1000)).close();
    const store = open();
    await expect(store.examples.count(digits)).rejects.toMatchObject({ code: "store/newer-schema" });
    await store.close();
  });

  test("a closed store refuses, and close waits for what runs", async () => {
    const store = open();
    const adding = store.examples.add(digits, [example]);
    await store.close();
    await adding;
    await expect(store.examples.count(digits)).rejects.toMatchObject({ code: "store/unavailable" });
    const again = open();
    expect(await again.examples.count(digits)).toBe(1);
    await again.close();
  });
});
