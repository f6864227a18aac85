import { failure } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import {
  createTufClient,
  DEFAULT_TUF_LIMITS,
  nobleEd25519,
  signTimestamp,
  verifyTarget,
  type TufFetcher,
} from "../src/index.ts";
import {
  DAY_MS,
  deviceOf,
  newSigner,
  readJson,
  Repository,
  reseal,
  START_MS,
  storedVersion,
  targetOf,
  type Device,
} from "./repository.ts";

/** A second start of the same device: same store, another process. */
function restarted(repository: Repository, device: Device, fetcher: TufFetcher = repository.fetcher()) {
  const { store, clock } = device;
  return createTufClient({ trustedRoot: repository.files.get("1.root.json")!, store, fetcher, clock });
}

const offline: TufFetcher = {
  metadata: () => Promise.reject(failure("transport/download-failed", "offline")),
};

describe("refresh", () => {
  test("a first refresh walks root, timestamp, snapshot, targets and answers targets", async () => {
    const repository = await Repository.create();
    const { client, store } = deviceOf(repository);
    expect(client.target("models/digits/stable.json")).toBeUndefined();
    expect(client.timestampVersion).toBe(0);
    await client.refresh();
    expect(repository.requests).toEqual([
      "2.root.json",
      "timestamp.json",
      "1.snapshot.json",
      "1.targets.json",
    ]);
    expect(client.timestampVersion).toBe(1);
    expect(client.rootVersion).toBe(1);
    const target = client.target("models/digits/stable.json")!;
    verifyTarget(target, new TextEncoder().encode("models/digits/stable.json"));
    expect([...client.targets().keys()]).toEqual(["models/digits/stable.json"]);
    expect(client.target("constructor")).toBeUndefined();
    expect(store.files.get("timestamp")).toEqual(repository.files.get("timestamp.json"));
  });

  test("root v1 to v3, then a new release", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await device.client.refresh();
    await repository.publishRoot();
    await repository.publishRoot();
    await repository.publish([targetOf("a"), targetOf("b", { tier: 2 })]);
    await device.client.refresh();
    expect(device.client.rootVersion).toBe(3);
    expect(storedVersion(device.store, "root")).toBe(3);
    expect(device.client.target("b")?.custom).toEqual({ tier: 2 });
  });

  test("what a refresh has verified the next does not verify again", async () => {
    const repository = await Repository.create();
    const { store, clock } = deviceOf(repository);
    const noble = await nobleEd25519();
    let verified = 0;
    const client = createTufClient({
      trustedRoot: repository.files.get("1.root.json")!,
      store,
      fetcher: repository.fetcher(),
      clock,
      ed25519: { ...noble, verify: (...given) => ((verified += 1), noble.verify(...given)) },
    });
    await client.refresh();
    expect(verified).toBe(4);
    await client.refresh();
    await client.refresh();
    expect(verified).toBe(4);
    // Of a new release the root is known.
    await repository.publish([targetOf("a")]);
    await client.refresh();
    expect([verified, client.target("a")]).toEqual([7, targetOf("a")]);
    // The same signatures under other bytes are none.
    const bytes = store.files.get("timestamp")!;
    store.files.set(
      "timestamp",
      bytes.map((byte, i) => (i === bytes.length - 2 ? byte ^ 1 : byte)),
    );
    await client.refresh();
    expect(store.files.get("timestamp")).toEqual(repository.files.get("timestamp.json"));
  });

  test("nothing new costs two requests, also after a restart", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await device.client.refresh();
    repository.requests.length = 0;
    const again = restarted(repository, device);
    await again.refresh();
    await again.refresh();
    expect(repository.requests).toEqual(["2.root.json", "timestamp.json", "2.root.json", "timestamp.json"]);
    expect(again.target("models/digits/stable.json")).toBeDefined();
  });

  test("stored bytes are the served bytes, whatever their formatting", async () => {
    const repository = await Repository.create();
    const pretty = new TextEncoder().encode(
      `\n${JSON.stringify(readJson(repository.files.get("timestamp.json")!), null, 3)}\n`,
    );
    repository.files.set("timestamp.json", pretty);
    const { client, store } = deviceOf(repository);
    await client.refresh();
    expect(store.files.get("timestamp")).toEqual(pretty);
  });

  test("calls queue up and each sees the state the last one left", async () => {
    const repository = await Repository.create();
    const { client } = deviceOf(repository);
    await Promise.all([client.refresh(), client.refresh(), client.load()]);
    expect(repository.requests).toEqual([
      "2.root.json",
      "timestamp.json",
      "1.snapshot.json",
      "1.targets.json",
      "2.root.json",
      "timestamp.json",
    ]);
  });

  test("an abort ends the refresh with its reason, and the next one works", async () => {
    const repository = await Repository.create();
    const controller = new AbortController();
    const served = repository.fetcher();
    const { client } = deviceOf(repository, {
      fetcher: {
        metadata: (name, options) => {
          if (name === "timestamp.json" && !controller.signal.aborted) controller.abort(new Error("enough"));
          return served.metadata(name, options);
        },
      },
    });
    await expect(client.refresh({ signal: controller.signal })).rejects.toThrow("enough");
    await expect(client.refresh({ signal: controller.signal })).rejects.toThrow("enough");
    await client.refresh();
  });

  test("without WebCrypto, noble verifies the same files", async () => {
    const repository = await Repository.create();
    const { client } = deviceOf(repository, { ed25519: await nobleEd25519(), subtle: null });
    await client.refresh();
    expect(client.timestampVersion).toBe(1);
  });

  test("a repository without consistent snapshots is read by plain names", async () => {
    const repository = await Repository.create();
    const trustedRoot = await reseal(repository.root, { consistent_snapshot: false }, repository.keys.root);
    for (const role of ["snapshot", "targets"]) {
      repository.files.set(`${role}.json`, repository.files.get(`1.${role}.json`)!);
    }
    await deviceOf(repository, { trustedRoot }).client.refresh();
    expect(repository.requests).toEqual(["2.root.json", "timestamp.json", "snapshot.json", "targets.json"]);
  });
});

describe("endless data", () => {
  const capped = [
    ["2.root.json", "5.3.3", "maxRootBytes"],
    ["timestamp.json", "5.4.1", "maxTimestampBytes"],
  ] as const;
  test.each(capped)("%s is cut off at its cap (%s)", async (fileName, step, limit) => {
    const repository = await Repository.create();
    repository.files.set(fileName, new Uint8Array(DEFAULT_TUF_LIMITS[limit] + 1));
    await expect(deviceOf(repository).client.refresh()).rejects.toMatchObject({
      code: "tuf/too-large",
      detail: { step, maxBytes: DEFAULT_TUF_LIMITS[limit] },
    });
  });

  test("a listed length is the cap of the file it lists (5.5.1, 5.6.1), and a listing above our own is refused unfetched", async () => {
    const repository = await Repository.create();
    const asked: Record<string, number> = {};
    const served = repository.fetcher();
    const fetcher: TufFetcher = {
      metadata: (name, options) => {
        asked[name] = options.maxBytes;
        return served.metadata(name, options);
      },
    };
    await deviceOf(repository, { fetcher }).client.refresh();
    expect(asked).toEqual({
      "2.root.json": DEFAULT_TUF_LIMITS.maxRootBytes,
      "timestamp.json": DEFAULT_TUF_LIMITS.maxTimestampBytes,
      "1.snapshot.json": repository.files.get("1.snapshot.json")!.length,
      "1.targets.json": repository.files.get("1.targets.json")!.length,
    });
    const small = deviceOf(repository, { limits: { maxTargetsBytes: 64 } });
    await expect(small.client.refresh()).rejects.toMatchObject({
      code: "tuf/too-large",
      detail: { step: "5.6.1" },
    });
  });

  test("limits have to be positive integers", async () => {
    const repository = await Repository.create();
    for (const value of [0, -1, 1.5, Number.NaN]) {
      expect(() => deviceOf(repository, { limits: { maxRootBytes: value } })).toThrow(RangeError);
    }
  });
});

describe("the store", () => {
  test("load answers offline from verified files, expired or not", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    expect(await device.client.load()).toBe(false);
    await device.client.refresh();
    device.clock.setNow(START_MS + 4_000 * DAY_MS);
    const again = restarted(repository, device, offline);
    expect(await again.load()).toBe(true);
    expect(again.target("models/digits/stable.json")).toBeDefined();
    expect(again.timestampVersion).toBe(1);
    await expect(again.refresh()).rejects.toMatchObject({ code: "transport/download-failed" });
    expect(again.target("models/digits/stable.json")).toBeDefined();
  });

  test("damaged or forged targets are not loaded, and a refresh replaces them", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await device.client.refresh();
    const forged = await reseal(device.store.files.get("targets")!, { "x-extra": 1 }, [await newSigner()]);
    for (const bytes of [new Uint8Array(3), forged]) {
      device.store.files.set("targets", bytes);
      const again = restarted(repository, device);
      expect(await again.load()).toBe(false);
      await again.refresh();
      expect(await again.load()).toBe(true);
      expect(again.timestampVersion).toBe(1);
    }
  });

  test.each(["timestamp", "snapshot"] as const)(
    "without a good %s file the installed targets are loaded, as of no known release",
    async (role) => {
      const repository = await Repository.create();
      const device = deviceOf(repository);
      await device.client.refresh();
      const forged = await reseal(device.store.files.get(role)!, { "x-extra": 1 }, [await newSigner()]);
      for (const bytes of [undefined, new Uint8Array(3), forged]) {
        if (bytes === undefined) device.store.files.delete(role);
        else device.store.files.set(role, bytes);
        const again = restarted(repository, device);
        expect(await again.load()).toBe(true);
        expect(again.timestampVersion).toBe(0);
        expect(again.target("models/digits/stable.json")).toBeDefined();
        await again.refresh();
        expect(storedVersion(device.store, role)).toBe(1);
        expect(again.timestampVersion).toBe(1);
      }
    },
  );

  test("an update that is cut off after any write leaves the installed targets loadable and the next refresh complete", async () => {
    for (const last of ["root", "timestamp", "snapshot", "targets"] as const) {
      const repository = await Repository.create();
      const device = deviceOf(repository);
      await device.client.refresh();
      await repository.publishRoot();
      await repository.publish([targetOf("next")]);
      const write = device.store.write.bind(device.store);
      device.store.write = async (role, bytes) => {
        await write(role, bytes);
        if (role === last) throw new Error("killed");
      };
      await expect(device.client.refresh()).rejects.toThrow("killed");
      device.store.write = write;
      const again = restarted(repository, device);
      expect(await again.load()).toBe(true);
      const [path, version] =
        last === "targets" ? ["next", 2] : ["models/digits/stable.json", last === "root" ? 1 : 0];
      expect([...again.targets().keys()]).toEqual([path]);
      expect(again.timestampVersion).toBe(version);
      await again.refresh();
      expect(again.target("next")).toBeDefined();
      expect(again.timestampVersion).toBe(2);
    }
  });

  test("what a revoked targets key signed is not loaded", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await device.client.refresh();
    repository.keys.targets = [await newSigner()];
    await repository.publishRoot();
    repository.files.delete("timestamp.json");
    await expect(device.client.refresh()).rejects.toMatchObject({ code: "tuf/missing-metadata" });
    expect(await restarted(repository, device, offline).load()).toBe(false);
  });

  test("what a timestamp says beside the spec is signed for, costs one small file, and is there after a restart", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await device.client.refresh();
    expect(device.client.timestampCustom).toBeUndefined();
    const snapshot = { version: 1, bytes: repository.files.get("1.snapshot.json")! };
    const { timestamp: signers } = repository.keys;
    const expiresMs = START_MS + DAY_MS;
    const custom = { head: { size: 3, root: "ab" } };
    repository.files.set(
      "timestamp.json",
      await signTimestamp({ version: 2, expiresMs, snapshot, signers, custom }),
    );
    repository.requests.length = 0;
    await device.client.refresh();
    expect(repository.requests).toEqual(["2.root.json", "timestamp.json"]);
    expect(device.client.timestampCustom).toEqual(custom);
    const later = restarted(repository, device, offline);
    expect(later.timestampCustom).toBeUndefined();
    expect(await later.load()).toBe(true);
    expect(later.timestampCustom).toEqual(custom);
    // Changed on the way.
    const forged = readJson(repository.files.get("timestamp.json")!);
    forged.signed["custom"] = { head: { size: 9, root: "cd" } };
    repository.files.set("timestamp.json", new TextEncoder().encode(JSON.stringify(forged)));
    await expect(device.client.refresh()).rejects.toMatchObject({ code: "tuf/threshold-not-met" });
    expect(device.client.timestampCustom).toEqual(custom);
  });

  test("a store that fails makes the refresh fail with its own error", async () => {
    const repository = await Repository.create();
    const { client, store } = deviceOf(repository);
    store.write = () => Promise.reject(failure("store/quota-exceeded", "full"));
    await expect(client.refresh()).rejects.toMatchObject({ code: "store/quota-exceeded" });
  });

  test("a damaged stored root is fetched again from the pinned one", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await repository.publishRoot();
    await device.client.refresh();
    device.store.files.set("root", new Uint8Array(9));
    const again = restarted(repository, device);
    await again.refresh();
    expect(again.rootVersion).toBe(2);
    expect(storedVersion(device.store, "root")).toBe(2);
  });

  test("a newer pinned root wins over an older stored one", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    await repository.publishRoot();
    await device.client.refresh();
    await repository.publishRoot();
    const { store, clock } = device;
    const fetcher = repository.fetcher();
    repository.requests.length = 0;
    const client = createTufClient({ trustedRoot: repository.root, store, fetcher, clock });
    await client.refresh();
    expect(repository.requests[0]).toBe("4.root.json");
    expect(client.rootVersion).toBe(3);
  });

  test("after root keys changed twice the chain is walked from the pinned root and may not end earlier", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    for (let i = 0; i < 2; i++) {
      const extraSigners = repository.keys.root;
      repository.keys.root = [await newSigner()];
      await repository.publishRoot({ extraSigners });
    }
    // Version 3 no longer carries a signature of version 1's key.
    await device.client.refresh();
    expect(storedVersion(device.store, "root")).toBe(3);
    const again = restarted(repository, device);
    repository.requests.length = 0;
    await again.refresh();
    expect(repository.requests.slice(0, 3)).toEqual(["2.root.json", "3.root.json", "4.root.json"]);
    repository.files.delete("3.root.json");
    await expect(again.refresh()).rejects.toMatchObject({
      code: "tuf/root-not-trusted",
      detail: { stored: 3, reached: 2 },
    });
    expect(storedVersion(device.store, "root")).toBe(3);
  });

  test("another repository's store is noticed", async () => {
    const [mine, other] = [await Repository.create(), await Repository.create()];
    const device = deviceOf(other);
    await other.publishRoot();
    await device.client.refresh();
    const { store } = device;
    const clock = createVirtualClock({ startMs: START_MS });
    const client = createTufClient({ trustedRoot: mine.root, store, fetcher: mine.fetcher(), clock });
    await expect(client.refresh()).rejects.toMatchObject({ code: "tuf/root-not-trusted" });
  });
});
