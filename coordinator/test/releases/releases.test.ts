import { chmod, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256, systemRandom } from "@tributary/core";
import { createTufClient, parseMetadata } from "@tributary/tuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TargetRecord } from "../../src/ports/release-records.ts";
import type { Releases } from "../../src/rooms.ts";
import { createSigningKey, signingKeyPath } from "../../src/keys/signing-key.ts";
import { createReleases, REFRESH_CHECK_MS } from "../../src/releases/releases.ts";
import { lifetimesOf } from "../../src/releases/lifetimes.ts";
import { codeOf } from "../../src/testing/index.ts";
import { openRoom, type Room } from "../room.ts";

const DAY_MS = 86_400_000;

let room: Room;
let opened: Releases[];

beforeEach(async () => {
  room = await openRoom();
  opened = [];
});
afterEach(async () => {
  for (const releases of opened) await releases.close();
  await room.dispose();
});

async function open(): Promise<Releases> {
  const releases = await createReleases(room);
  opened.push(releases);
  return releases;
}

async function restart(): Promise<Releases> {
  for (const releases of opened.splice(0)) await releases.close();
  await room.restart();
  return open();
}

function target(path: string, content = path, role = "targets"): TargetRecord {
  const bytes = new TextEncoder().encode(content);
  return { role, path, digest: sha256(bytes), sizeBytes: bytes.length, custom: null };
}

const release = (releases: Releases, put: TargetRecord[], remove: string[] = []) =>
  releases.release({ put, remove }, async (change) => {
    await room.store.releases.apply(change);
    return change;
  });

/** A device that pinned the first root and keeps its own copy of the metadata. */
function device(root: Uint8Array) {
  const files = new Map<string, Uint8Array>();
  return createTufClient({
    trustedRoot: root,
    clock: room.clock,
    store: {
      read: (role) => Promise.resolve(files.get(role)),
      write: (role, bytes) => Promise.resolve(void files.set(role, bytes)),
      delete: (role) => Promise.resolve(void files.delete(role)),
    },
    fetcher: {
      async metadata(fileName) {
        if (fileName === "timestamp.json") return (await room.store.releases.latest("timestamp"))?.bytes;
        const [version, ...role] = fileName.replace(".json", "").split(".");
        return (await room.store.releases.metadata(role.join("."), Number(version)))?.bytes;
      },
    },
  });
}

describe("the first start", () => {
  test("makes a key a role, a root and an empty release that devices verify", async () => {
    const { root } = await open();
    const names = ["root", "snapshot", "targets", "timestamp"].map((role) => `${role}.key.json`);
    expect((await readdir(room.keysFolder)).toSorted()).toEqual(names);
    for (const name of names) expect((await stat(join(room.keysFolder, name))).mode & 0o777).toBe(0o600);
    const client = device(root);
    await client.refresh();
    expect(client.targets().size).toBe(0);
    const { roles, expiresMs } = (await parseMetadata("root", root)).signed;
    expect(new Set(Object.values(roles).flatMap(({ keyIds }) => keyIds)).size).toBe(4);
    expect(expiresMs).toBe(room.clock.now() + lifetimesOf(7).root);
  });

  test("that was interrupted after the keys goes on with them", async () => {
    const made = await createSigningKey(room.keysFolder, "targets", systemRandom);
    const { root } = await open();
    expect((await parseMetadata("root", root)).signed.roles.targets.keyIds).toEqual([made.keyId]);
  });

  test("a second start has the same root and signs nothing new", async () => {
    const { root } = await open();
    expect((await restart()).root).toEqual(root);
    expect((await room.store.releases.latest("timestamp"))?.version).toBe(1);
    expect((await room.store.releases.latest("root"))?.version).toBe(1);
  });
});

describe("releases", () => {
  test("put and remove targets, with numbers that grow by one", async () => {
    const releases = await open();
    const client = device(releases.root);
    const change = await release(releases, [target("a"), target("b")]);
    expect(change.expectedTimestampVersion).toBe(1);
    expect(change.metadata.map(({ role, version }) => [role, version])).toEqual([
      ["targets", 2],
      ["snapshot", 2],
      ["timestamp", 2],
    ]);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["a", "b"]);
    await release(releases, [target("b", "new"), { ...target("c"), custom: { n: 1 } }], ["a"]);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["b", "c"]);
    expect(client.target("b")?.sha256).toBe(target("b", "new").digest);
    expect(client.target("c")?.custom).toEqual({ n: 1 });
    expect(client.timestampVersion).toBe(3);
  });

  test("a commit that fails has stored nothing, and the next gets the same numbers", async () => {
    const releases = await open();
    const lost = releases.release({ put: [target("lost")] }, (change) => {
      expect(change.metadata.at(-1)?.version).toBe(2);
      return Promise.reject(new Error("disk full"));
    });
    await expect(lost).rejects.toThrow("disk full");
    const change = await release(releases, [target("kept")]);
    expect(change.metadata.at(-1)?.version).toBe(2);
    const client = device(releases.root);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["kept"]);
  });

  test("that are asked for at once come one after the other", async () => {
    const releases = await open();
    const changes = await Promise.all(["a", "b", "c", "d"].map((path) => release(releases, [target(path)])));
    expect(changes.map(({ expectedTimestampVersion }) => expectedTimestampVersion)).toEqual([1, 2, 3, 4]);
    const client = device(releases.root);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["a", "b", "c", "d"]);
  });

  test("of another process on the same store are noticed by the fence", async () => {
    const [mine, theirs] = [await open(), await open()];
    const lost = mine.release({ put: [target("mine")] }, async (change) => {
      await release(theirs, [target("theirs")]);
      await room.store.releases.apply(change);
    });
    expect(await codeOf(lost)).toBe("store/conflict");
    await release(mine, [target("mine")]);
    const client = device(mine.root);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["mine", "theirs"]);
  });

  test("the same path twice is a mistake of the caller", async () => {
    const releases = await open();
    await expect(release(releases, [target("a"), target("a")])).rejects.toThrow(TypeError);
    await expect(release(releases, [target("a")], ["a"])).rejects.toThrow(TypeError);
  });

  test("stay verifiable over a restart", async () => {
    const releases = await open();
    const client = device(releases.root);
    await release(releases, [target("a")]);
    await client.refresh();
    await release(await restart(), [target("b")]);
    await client.refresh();
    expect([...client.targets().keys()]).toEqual(["a", "b"]);
  });

  test("are refused after closing; the one under way ends", async () => {
    const releases = await open();
    const begun = Promise.withResolvers<void>();
    const underWay = releases.release({ put: [target("a")] }, async (change) => {
      begun.resolve();
      await room.store.releases.apply(change);
    });
    const waiting = release(releases, [target("b")]);
    await begun.promise;
    const closing = releases.close();
    expect(await codeOf(waiting)).toBe("core/closed");
    expect(await codeOf(release(releases, [target("c")]))).toBe("core/closed");
    await closing;
    await underWay;
    expect((await room.store.releases.targets()).map(({ path }) => path)).toEqual(["a"]);
    await releases.close();
  });
});

describe("signing again before expiry", () => {
  /** Versions of root, targets, snapshot and timestamp as stored. */
  async function versions(): Promise<(number | undefined)[]> {
    const roles = ["root", "targets", "snapshot", "timestamp"] as const;
    const latest = await Promise.all(roles.map((role) => room.store.releases.latest(role)));
    return latest.map((metadata) => metadata?.version);
  }

  test("a running coordinator keeps a device fresh for over a year without a release", async () => {
    const releases = await open();
    const client = device(releases.root);
    await release(releases, [target("a")]);
    await client.refresh();
    for (let day = 0; day < 400; day += 3) {
      room.clock.setNow(room.clock.now() + 3 * DAY_MS - REFRESH_CHECK_MS);
      await room.clock.advanceToNextAsync();
      await releases.release({ put: [] }, () => Promise.resolve()); // waits for the refresh in the queue
      await client.refresh();
    }
    expect(client.target("a")).toBeDefined();
    // Root every 183 days, targets every 45, snapshot every 15, timestamp every 6.
    expect(client.rootVersion).toBe(3);
    const [root, targets, snapshot, timestamp] = await versions();
    expect([root, targets]).toEqual([3, 2 + 8]);
    expect(snapshot!).toBeGreaterThan(2 + 20);
    expect(timestamp!).toBeGreaterThan(2 + 50);
  });

  test("only what is half over is signed, with what lists it", async () => {
    await open();
    expect(await versions()).toEqual([1, 1, 1, 1]);
    const after = async (days: number) => {
      room.clock.setNow(room.clock.now() + days * DAY_MS);
      await restart();
      return versions();
    };
    expect(await after(3)).toEqual([1, 1, 1, 1]);
    expect(await after(1)).toEqual([1, 1, 1, 2]);
    expect(await after(11)).toEqual([1, 1, 2, 3]);
    expect(await after(30)).toEqual([1, 2, 3, 4]);
    expect(await after(150)).toEqual([2, 3, 4, 5]);
  });

  test("after a long stop everything is fresh again at the start", async () => {
    const releases = await open();
    const client = device(releases.root);
    await release(releases, [target("a")]);
    room.clock.setNow(room.clock.now() + 400 * DAY_MS);
    await expect(client.refresh()).rejects.toMatchObject({ code: "tuf/expired" });
    await restart();
    await client.refresh();
    expect(client.target("a")).toBeDefined();
  });

  test("without the root key everything but the root is signed", async () => {
    const releases = await open();
    await rm(signingKeyPath(room.keysFolder, "root"));
    room.clock.setNow(room.clock.now() + 200 * DAY_MS);
    await restart();
    expect(await versions()).toEqual([1, 2, 2, 2]);
    const client = device(releases.root);
    await client.refresh();
  });

  test("the check comes back by the clock until it is closed", async () => {
    const releases = await open();
    expect(room.clock.nextInMs).toBe(REFRESH_CHECK_MS);
    await room.clock.advanceToNextAsync();
    await release(releases, []);
    expect(room.clock.nextInMs).toBeGreaterThan(0);
    await releases.close();
    expect(room.clock.pendingTimers).toBe(0);
  });
});

describe("key files", () => {
  test("a missing online key is an error, never a new key", async () => {
    await open();
    await rm(signingKeyPath(room.keysFolder, "snapshot"));
    await expect(restart()).rejects.toMatchObject({ code: "coordinator/key-missing" });
    expect(await readdir(room.keysFolder)).not.toContain("snapshot.key.json");
  });

  test("a key that the root does not name is refused", async () => {
    await open();
    await rename(signingKeyPath(room.keysFolder, "timestamp"), join(room.keysFolder, "old"));
    await createSigningKey(room.keysFolder, "timestamp", systemRandom);
    await expect(restart()).rejects.toMatchObject({ code: "coordinator/key-mismatch" });
  });

  test("a key that others can read is refused", async () => {
    await open();
    await chmod(signingKeyPath(room.keysFolder, "root"), 0o644);
    await expect(restart()).rejects.toMatchObject({ code: "coordinator/key-insecure" });
  });
});
