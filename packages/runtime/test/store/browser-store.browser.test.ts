import {
  asDigest,
  asModelName,
  encodeHex,
  sha256,
  silentLogger,
  systemClock,
  type Digest,
} from "@tributary/core";
import { deleteDB } from "idb";
import { afterEach, describe, expect, test } from "vitest";
import { openBrowserStore } from "../../src/store/browser-store.ts";
import type { DeviceStore } from "../../src/store/device-store.ts";
import { createIndexedDbBlobs } from "../../src/store/indexeddb-blobs.ts";
import { openConnection } from "../../src/store/indexeddb-connection.ts";
import { OPFS_FOLDER, opfsFolderName } from "../../src/store/opfs-blobs.ts";
import { describeBlobCache } from "../../src/testing/index.ts";
import { unsettle, type Settled } from "../../src/worker/error-transfer.ts";

const NAME = "tributary-browser-store-test";
const workers: Worker[] = [];

/** The store of a tab of its own: each has a worker. */
async function open(): Promise<{ store: DeviceStore; kind: unknown }> {
  const worker = new Worker(new URL("./store-worker.ts", import.meta.url), { type: "module" });
  workers.push(worker);
  let calls = 0;
  const waiting = new Map<number, (result: Settled<unknown>) => void>();
  worker.addEventListener("message", ({ data }: MessageEvent<{ id: number; result: Settled<unknown> }>) => {
    waiting.get(data.id)!(data.result);
    waiting.delete(data.id);
  });
  const call = async (path: readonly string[], args: readonly unknown[]): Promise<unknown> => {
    const id = ++calls;
    const result = new Promise<Settled<unknown>>((resolve) => waiting.set(id, resolve));
    worker.postMessage({ id, path, args });
    return unsettle(await result);
  };
  const part = (name: string): never =>
    new Proxy(
      {},
      {
        get:
          (_target, method) =>
          (...args: unknown[]) =>
            call([name, String(method)], args),
      },
    ) as never;
  const kind = await call(["open"], [NAME]);
  const store: DeviceStore = {
    needsExtractableKeys: false,
    identity: part("identity"),
    metadata: part("metadata"),
    blobs: part("blobs"),
    models: part("models"),
    examples: part("examples"),
    examplesKey: part("examplesKey"),
    learned: part("learned"),
    settings: part("settings"),
    space: { kind: kind as "opfs", estimate: () => call(["space", "estimate"], []) as never },
    close: () => call(["close"], []) as never,
  };
  return { store, kind };
}

async function remove(): Promise<void> {
  for (const worker of workers.splice(0)) worker.terminate();
  await deleteDB(NAME);
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(OPFS_FOLDER, { recursive: true }).catch(() => undefined);
}

// All else than the blobs is the IndexedDB store, which runs its own suite.
describeBlobCache("OPFS", { open: async () => (await open()).store, remove });

describe("blobs in the origin private file system", () => {
  afterEach(remove);
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255);
  const digest: Digest = asDigest(sha256(bytes));

  async function folder(): Promise<FileSystemDirectoryHandle> {
    const all = await (await navigator.storage.getDirectory()).getDirectoryHandle(OPFS_FOLDER);
    return await all.getDirectoryHandle(await opfsFolderName(NAME));
  }

  async function fileNames(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of (await folder()).keys()) names.push(name);
    return names.filter((name) => name !== "writable").toSorted();
  }

  /** Of many bytes: the browser's own is faster. */
  async function digestOf(of: Uint8Array<ArrayBuffer>): Promise<Digest> {
    return asDigest(encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", of))));
  }

  test("two tabs write, read and delete the same blob at once, and none sees half of it", async () => {
    const [first, second] = [await open(), await open()];
    expect([first.kind, second.kind]).toEqual(["opfs", "opfs"]);
    const seen: (Uint8Array | undefined)[] = [];
    const busy = async ({ blobs }: DeviceStore): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        await blobs.write(digest, bytes);
        seen.push(await blobs.read(digest));
        await blobs.appendPartial(digest, 0, bytes.subarray(0, 1000));
        if (i % 3 === 2) await blobs.delete(digest);
      }
      await blobs.write(digest, bytes);
    };
    await Promise.all([busy(first.store), busy(second.store)]);
    const whole = seen.filter((read) => read !== undefined);
    expect(whole.length).toBeGreaterThan(0);
    for (const read of whole) expect(sha256(read)).toBe(digest);
    expect(await fileNames()).toEqual([digest]);
    await Promise.all([first.store.close(), second.store.close()]);
  });

  test("a tab that dies while it writes leaves no blob, and the next one writes it", async () => {
    const first = await open();
    // More than is written before the worker is ended.
    const large = new Uint8Array(32 * 1024 * 1024).fill(7);
    const name = await digestOf(large);
    void first.store.blobs.write(name, large);
    await expect.poll(async () => (await fileNames()).includes(`${name}.partial`)).toBe(true);
    workers[0]!.terminate();
    const { store } = await open();
    const left = await store.blobs.read(name);
    if (left !== undefined) expect(await digestOf(left)).toBe(name);
    await store.blobs.write(name, large);
    expect(await digestOf((await store.blobs.read(name))!)).toBe(name);
    await store.close();
  });

  test("a folder that the browser cleared under an open page reads as empty and takes new writes", async () => {
    const { store } = await open();
    await store.blobs.write(digest, bytes);
    await (await navigator.storage.getDirectory()).removeEntry(OPFS_FOLDER, { recursive: true });
    expect([await store.blobs.read(digest), await store.blobs.list()]).toEqual([undefined, []]);
    await store.blobs.write(digest, bytes);
    expect(await store.blobs.read(digest)).toEqual(bytes);
    await store.close();
  });

  test("blobs that an earlier runtime kept in IndexedDB are moved", async () => {
    const connection = openConnection(NAME, systemClock);
    const earlier = createIndexedDbBlobs(connection);
    await earlier.write(digest, bytes);
    await earlier.appendPartial(asDigest("0".repeat(64)), 0, bytes);
    const { store } = await open();
    expect(await store.blobs.read(digest)).toEqual(bytes);
    expect([await earlier.list(), await earlier.listPartials()]).toEqual([[], []]);
    await connection.close();
    await store.close();
  });

  test("where nothing can be written there, IndexedDB keeps the blobs", async () => {
    // A page has no sync access handles, as some browsers have none anywhere.
    const store = await openBrowserStore({ name: NAME, clock: systemClock, log: silentLogger });
    expect(store.space?.kind).toBe("indexeddb");
    await store.blobs.write(digest, bytes);
    expect(await store.blobs.list()).toEqual([{ digest, sizeBytes: bytes.length }]);
    expect((await store.space!.estimate()).quotaBytes).toBeGreaterThan(1_000_000);
    expect(await store.examples.ids(asModelName("digits"))).toEqual([]);
    await store.close();
  });
});
