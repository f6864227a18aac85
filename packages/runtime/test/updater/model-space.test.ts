import {
  asModelName,
  failure,
  sha256,
  silentLogger,
  type Digest,
  type TributaryError,
} from "@tributary/core";
import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceStore, StorageSpace } from "../../src/store/device-store.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { createModelSpace, type ModelSpace } from "../../src/updater/model-space.ts";

const MODEL_BYTES = 100;
let store: DeviceStore;
let needed: Set<Digest>;
let heldElsewhere: Set<Digest>;
let now: number;
/** What the platform takes; a write beyond it fails as IndexedDB, OPFS and file systems do. */
let capacity: number;

beforeEach(() => {
  [needed, heldElsewhere, now, capacity] = [new Set(), new Set(), 0, Infinity];
  const inner = createMemoryStore();
  store = {
    ...inner,
    blobs: {
      ...inner.blobs,
      async write(digest, bytes) {
        if ((await usage()) + bytes.length > capacity) throw failure("store/quota-exceeded", "full");
        await inner.blobs.write(digest, bytes);
      },
    },
  };
});

async function usage(): Promise<number> {
  const kept = [...(await store.blobs.list()), ...(await store.blobs.listPartials())];
  return kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function spaceOf(maxBytes?: number, space?: StorageSpace): ModelSpace {
  return createModelSpace({
    store: space === undefined ? store : { ...store, space },
    maxBytes,
    isNeeded: (digest) => needed.has(digest),
    holds: { hold: () => {}, held: async () => heldElsewhere },
    clock: { now: () => ++now },
    log: silentLogger,
  });
}

/** The platform's word for how much there is; it may be wrong. */
const quota = (quotaBytes: number): StorageSpace => ({
  kind: "opfs",
  estimate: async () => ({ usageBytes: await usage(), quotaBytes, persisted: false }),
});

const bytesOf = (name: string, sizeBytes = MODEL_BYTES): Uint8Array =>
  new Uint8Array(sizeBytes).fill(name.charCodeAt(0));
const digestOf = (name: string): Digest => sha256(bytesOf(name));

/** Installs a model of one file. */
async function install(space: ModelSpace, name: string): Promise<Digest> {
  const digest = digestOf(name);
  await store.blobs.write(digest, bytesOf(name));
  await store.models.write({
    model: asModelName(name),
    channel: "stable",
    version: 1,
    manifest: new Uint8Array(),
    manifestDigest: digest,
    files: [{ target: name, digest, sizeBytes: MODEL_BYTES }],
    installedAtMs: 0,
  });
  await store.settings.write(`engine/${digest}`, {});
  await space.used(name, "stable");
  return digest;
}

const installed = async (): Promise<string[]> => (await store.models.list()).map(({ model }) => model);
const kept = async (): Promise<Digest[]> => (await store.blobs.list()).map(({ digest }) => digest);

describe("room for a download", () => {
  test("there is room: nothing goes", async () => {
    const space = spaceOf(400);
    for (const name of ["a", "b", "c"]) await install(space, name);
    await space.reserve(100);
    expect(await installed()).toEqual(["a", "b", "c"]);
  });

  test("the model that was not used for longest goes first, whole, and no more than has to", async () => {
    const space = spaceOf(300);
    for (const name of ["a", "b", "c"]) await install(space, name);
    await space.used("a", "stable");
    await space.reserve(150); // b, then c
    expect(await installed()).toEqual(["a"]);
    expect(await kept()).toEqual([digestOf("a")]);
    expect(await store.settings.read(`engine/${digestOf("b")}`)).toBeUndefined();
    expect(await store.settings.read("used/b/stable")).toBeUndefined();
  });

  test("what is open here, or in another tab, never goes", async () => {
    const space = spaceOf(300);
    needed.add(await install(space, "a"));
    heldElsewhere.add(await install(space, "b"));
    await install(space, "c");
    await expect(space.reserve(101)).rejects.toMatchObject({
      code: "store/quota-exceeded",
      detail: { neededBytes: 101, availableBytes: 100 },
    });
    expect(await installed()).toEqual(["a", "b"]);
    await space.reserve(100);
  });

  test("a blob that two models share stays with the one that stays", async () => {
    const space = spaceOf(300);
    const shared = await install(space, "a");
    needed.add(shared);
    await install(space, "b");
    const [a, b] = await store.models.list();
    await store.models.write({ ...b!, files: [...a!.files, ...b!.files] });
    await space.reserve(200);
    expect([await installed(), await kept()]).toEqual([["a"], [shared]]);
    // Closed, but not the only one that has it.
    needed.clear();
    await store.models.write({ ...a!, model: asModelName("c") });
    await expect(space.reserve(400)).rejects.toMatchObject({ detail: { availableBytes: 300 } });
    expect([await installed(), await kept()]).toEqual([[], []]);
  });

  test("leftovers go before any model: blobs of no model, and unfinished downloads of nothing that is open", async () => {
    const space = spaceOf(400);
    await install(space, "a");
    const [stray, partial, wanted] = ["s", "p", "w"].map(digestOf);
    await store.blobs.write(stray!, bytesOf("s"));
    await store.blobs.appendPartial(partial!, 0, bytesOf("p"));
    await store.blobs.appendPartial(wanted!, 0, bytesOf("w"));
    needed.add(wanted!);
    await space.reserve(200);
    expect(await installed()).toEqual(["a"]);
    expect((await store.blobs.listPartials()).map(({ digest }) => digest)).toEqual([wanted]);
  });

  test("the browser's quota counts like the app's", async () => {
    const space = spaceOf(undefined, quota(250));
    await install(space, "a");
    await install(space, "b");
    await space.reserve(60);
    expect(await installed()).toEqual(["b"]);
    await expect(spaceOf(200, quota(1e9)).reserve(201)).rejects.toMatchObject({
      code: "store/quota-exceeded",
    });
  });

  test("two that need room at once do not evict for each other's bytes", async () => {
    const space = spaceOf(200);
    await install(space, "a");
    await install(space, "b");
    await Promise.all([space.reserve(50), space.reserve(50)]);
    expect(await installed()).toEqual(["b"]);
  });
});

describe("a full storage, whatever was estimated", () => {
  test("makes room and takes the blob with the second try", async () => {
    const space = spaceOf(undefined, quota(1e9));
    await install(space, "a");
    await install(space, "b");
    capacity = 250;
    await space.write(digestOf("c"), bytesOf("c"));
    expect(await installed()).toEqual(["b"]);
    expect(await kept()).toEqual([digestOf("b"), digestOf("c")]);
  });

  test("is a coded error with needed and available bytes when there is nothing to evict", async () => {
    const space = spaceOf(undefined, quota(120));
    needed.add(await install(space, "a"));
    capacity = 120;
    await expect(space.write(digestOf("c"), bytesOf("c"))).rejects.toMatchObject({
      code: "store/quota-exceeded",
      detail: { neededBytes: 100, availableBytes: 20 },
    });
    expect(await installed()).toEqual(["a"]);
    // An estimate that says otherwise is not repeated.
    const error = await spaceOf(undefined, quota(1e9))
      .write(digestOf("c"), bytesOf("c"))
      .catch((each: unknown) => each);
    expect(error).toMatchObject({ code: "store/quota-exceeded", detail: { neededBytes: 100 } });
    expect((error as TributaryError).detail).not.toHaveProperty("availableBytes");
  });
});

test("what is kept and may be kept is told", async () => {
  const space = spaceOf(500, quota(1000));
  await install(space, "a");
  await store.blobs.appendPartial(digestOf("p"), 0, bytesOf("p", 7));
  expect(await space.diagnose()).toEqual({
    kind: "opfs",
    blobBytes: 100,
    partialBytes: 7,
    usageBytes: 107,
    quotaBytes: 1000,
    persisted: false,
    maxBytes: 500,
  });
  expect(await spaceOf().diagnose()).toEqual({
    kind: "memory",
    blobBytes: 100,
    partialBytes: 7,
  });
});

test("what an open model could go back to gives way last, and what it runs never", async () => {
  const space = spaceOf(4 * MODEL_BYTES);
  const [running, before, idle] = [await install(space, "r"), digestOf("b"), await install(space, "i")];
  await store.blobs.write(before, bytesOf("b"));
  const record = (await store.models.read(asModelName("r"), "stable"))!;
  const previous = {
    version: 0,
    manifest: new Uint8Array(),
    manifestDigest: before,
    files: [{ target: "b", digest: before, sizeBytes: MODEL_BYTES }],
    installedAtMs: 0,
  };
  await store.models.write({ ...record, previous });
  needed.add(running);
  await space.reserve(2 * MODEL_BYTES);
  expect((await store.blobs.list()).map(({ digest }) => digest)).toEqual([running, before]);
  await space.reserve(3 * MODEL_BYTES);
  expect((await store.blobs.list()).map(({ digest }) => digest)).toEqual([running]);
  expect(await store.models.list()).toEqual([record]);
  expect(await store.blobs.read(idle)).toBeUndefined();
  await expect(space.reserve(4 * MODEL_BYTES)).rejects.toMatchObject({ code: "store/quota-exceeded" });
});
