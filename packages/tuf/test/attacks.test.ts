import { sha256, TributaryError, type ErrorCode } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  canonicalJson,
  signSnapshotAndTimestamp,
  signTargets,
  signTimestamp,
  type JsonObject,
} from "../src/index.ts";
import {
  DAY_MS,
  deviceOf,
  newSigner,
  readJson,
  Repository,
  reseal,
  roleKeys,
  seal,
  START_MS,
  storedVersion,
  targetOf,
  writeJson,
  type Device,
} from "./repository.ts";

/** The refresh fails with this code at this step of the spec, and what was trusted before still is. */
async function expectRefusal(device: Device, code: ErrorCode, step: string): Promise<void> {
  const before = [...device.client.targets().keys()];
  const error = await device.client.refresh().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!TributaryError.is(error)) throw new Error(`expected ${code}, got ${String(error)}`);
  expect({ code: error.code, step: error.detail["step"] }).toEqual({ code, step });
  expect([...device.client.targets().keys()]).toEqual(before);
}

async function refreshed(): Promise<{ repository: Repository; device: Device }> {
  const repository = await Repository.create();
  const device = deviceOf(repository);
  await device.client.refresh();
  return { repository, device };
}

describe("5.2 trusted root", () => {
  test("a root that its own keys did not sign is refused before any request", async () => {
    const repository = await Repository.create();
    const json = readJson(repository.root);
    json.signatures[0]!.sig = "00".repeat(64);
    const device = deviceOf(repository, { trustedRoot: writeJson(json) });
    await expectRefusal(device, "tuf/threshold-not-met", "5.2");
    expect(repository.requests).toEqual([]);
  });

  test("an expired trusted root is fine when a later one is not", async () => {
    const repository = await Repository.create();
    const trustedRoot = repository.root;
    const nowMs = START_MS + 400 * DAY_MS;
    await repository.publishRoot({ nowMs });
    await repository.publish([targetOf("later")], nowMs);
    const device = deviceOf(repository, { trustedRoot });
    device.clock.setNow(nowMs);
    await device.client.refresh();
    expect(device.client.target("later")).toBeDefined();
  });

  test("a role without keys in the root is malformed", async () => {
    const repository = await Repository.create();
    const roles = { ...(readJson(repository.root).signed["roles"] as object) } as Record<string, never>;
    delete roles["snapshot"];
    const trustedRoot = await reseal(repository.root, { roles }, repository.keys.root);
    await expect(deviceOf(repository, { trustedRoot }).client.refresh()).rejects.toMatchObject({
      code: "tuf/invalid-metadata",
    });
  });
});

describe("5.3 root", () => {
  test("5.3.4 key rotation N to N+1 signed by old and new keys passes", async () => {
    const { repository, device } = await refreshed();
    const oldRoot = repository.keys.root;
    repository.keys.root = [await newSigner()];
    await repository.publishRoot({ extraSigners: oldRoot });
    await device.client.refresh();
    expect(device.client.rootVersion).toBe(2);
  });

  test("5.3.4 a rotation that only the new keys signed is refused", async () => {
    const { repository, device } = await refreshed();
    const thief = [await newSigner()];
    const { keys, roles } = readJson(
      await rotatedRoot(repository, thief, [...repository.keys.root, ...thief]),
    ).signed;
    const bytes = await reseal(repository.root, { version: 2, keys: keys!, roles: roles! }, thief);
    repository.files.set("2.root.json", bytes);
    await expectRefusal(device, "tuf/threshold-not-met", "5.3.4");
    expect(storedVersion(device.store, "root")).toBeUndefined();
  });

  test("5.3.4 a rotation that only the old keys signed is refused", async () => {
    const { repository, device } = await refreshed();
    const fresh = [await newSigner()];
    const { keys, roles } = readJson(
      await rotatedRoot(repository, fresh, [...repository.keys.root, ...fresh]),
    ).signed;
    const bytes = await reseal(
      repository.root,
      { version: 2, keys: keys!, roles: roles! },
      repository.keys.root,
    );
    repository.files.set("2.root.json", bytes);
    await expectRefusal(device, "tuf/threshold-not-met", "5.3.4");
  });

  test("5.3.4 thresholds of old and new roots hold over a chain that skips no version", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    const old = repository.keys.root;
    repository.keys.root = [await newSigner(), await newSigner(), await newSigner()];
    await repository.publishRoot({ extraSigners: old, thresholds: { root: 2 } });
    await repository.publishRoot({ thresholds: { root: 3 } });
    const { root } = repository.keys;
    const short = await reseal(repository.root, { version: 4 }, root.slice(0, 2));
    repository.files.set("4.root.json", short);
    await expectRefusal(device, "tuf/threshold-not-met", "5.3.4");
    expect(storedVersion(device.store, "root")).toBe(3);
  });

  test("5.3.5 a version that skips one is refused", async () => {
    const { repository, device } = await refreshed();
    const bytes = await reseal(repository.root, { version: 3 }, repository.keys.root);
    repository.files.set("2.root.json", bytes);
    await expectRefusal(device, "tuf/wrong-version", "5.3.5");
  });

  test("5.3.5 rollback: a lower version under the next name is refused", async () => {
    const { repository, device } = await refreshed();
    await repository.publishRoot();
    await device.client.refresh();
    repository.files.set("3.root.json", repository.files.get("1.root.json")!);
    await expectRefusal(device, "tuf/rollback", "5.3.5");
  });

  test("5.3.5 an equal version changes nothing and is no error", async () => {
    const { repository, device } = await refreshed();
    repository.files.set("2.root.json", repository.root);
    await repository.publish([targetOf("next")]);
    await device.client.refresh();
    expect(device.client.target("next")).toBeDefined();
    expect(storedVersion(device.store, "root")).toBeUndefined();
  });

  test("5.3.3 the number of rotations in one refresh is capped, and the next continues", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository, { limits: { maxRootRotations: 2 } });
    for (let i = 0; i < 4; i++) await repository.publishRoot();
    await device.client.refresh();
    expect(device.client.rootVersion).toBe(3);
    await device.client.refresh();
    expect(device.client.rootVersion).toBe(5);
  });

  test("5.3.10 freeze: an expired final root stops the update, but stays stored", async () => {
    const { repository, device } = await refreshed();
    await repository.publishRoot({ nowMs: START_MS - 400 * DAY_MS });
    await expectRefusal(device, "tuf/expired", "5.3.10");
    expect(storedVersion(device.store, "root")).toBe(2);
    expect(storedVersion(device.store, "timestamp")).toBe(1);
  });

  test("5.3.11 fast-forward recovery: after rotating the timestamp key its version may start again", async () => {
    const { repository, device } = await refreshed();
    const snapshot = { version: 1, bytes: repository.files.get("1.snapshot.json")! };
    const expiresMs = START_MS + DAY_MS;
    const far = { version: 9_999_999, expiresMs, snapshot };
    repository.files.set(
      "timestamp.json",
      await signTimestamp({ ...far, signers: repository.keys.timestamp }),
    );
    await device.client.refresh();
    expect(device.client.timestampVersion).toBe(9_999_999);
    repository.keys.timestamp = [await newSigner()];
    await repository.publishRoot();
    await repository.publish([targetOf("recovered")]);
    await device.client.refresh();
    expect(device.client.timestampVersion).toBe(2);
    expect(device.client.target("recovered")).toBeDefined();
  });

  test("5.3.11 fast-forward recovery of snapshot and targets by rotating the snapshot key alone", async () => {
    const { repository, device } = await refreshed();
    repository.versions = { timestamp: 1, snapshot: 70_000, targets: 80_000 };
    await repository.publish([targetOf("poison")]);
    await device.client.refresh();
    repository.keys.snapshot = [await newSigner()];
    await repository.publishRoot();
    repository.versions = { timestamp: 2, snapshot: 1, targets: 1 };
    await repository.publish([targetOf("recovered")]);
    await device.client.refresh();
    expect(storedVersion(device.store, "snapshot")).toBe(2);
    expect(device.client.target("recovered")).toBeDefined();
  });

  test("5.3.11 a revoked key that returns in a later root still resets what it signed", async () => {
    const { repository, device } = await refreshed();
    repository.versions = { timestamp: 500, snapshot: 1, targets: 1 };
    await repository.publish([targetOf("poison")]);
    await device.client.refresh();
    const { timestamp } = repository.keys;
    repository.keys.timestamp = [await newSigner()];
    await repository.publishRoot();
    repository.keys.timestamp = timestamp;
    await repository.publishRoot();
    repository.versions = { timestamp: 1, snapshot: 2, targets: 2 };
    await repository.publish([targetOf("recovered")]);
    await device.client.refresh();
    expect(device.client.timestampVersion).toBe(2);
  });

  test("5.3.11 adding a key is no rotation: rollback protection stays", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("new")]);
    await device.client.refresh();
    repository.keys.timestamp.push(await newSigner());
    await repository.publishRoot();
    const snapshot = { version: 1, bytes: repository.files.get("1.snapshot.json")! };
    const old = { version: 1, expiresMs: START_MS + DAY_MS, snapshot };
    repository.files.set(
      "timestamp.json",
      await signTimestamp({ ...old, signers: repository.keys.timestamp }),
    );
    await expectRefusal(device, "tuf/rollback", "5.4.3.1");
  });
});

describe("5.4 timestamp", () => {
  test("5.4.1 a missing timestamp is a coded error", async () => {
    const { repository, device } = await refreshed();
    repository.files.delete("timestamp.json");
    await expectRefusal(device, "tuf/missing-metadata", "5.4.1");
  });

  test("5.4.2 arbitrary software: unknown signer, wrong role's key, changed content", async () => {
    const { repository, device } = await refreshed();
    const genuine = (await repository.publish([targetOf("next")])).timestamp;
    for (const signers of [[await newSigner()], repository.keys.targets, []]) {
      repository.files.set("timestamp.json", await seal(readJson(genuine).signed, signers));
      await expectRefusal(device, "tuf/threshold-not-met", "5.4.2");
    }
    const tampered = readJson(genuine);
    tampered.signed["expires"] = "2029-01-01T00:00:00Z";
    repository.files.set("timestamp.json", writeJson(tampered));
    await expectRefusal(device, "tuf/threshold-not-met", "5.4.2");
    repository.files.set("timestamp.json", genuine);
    await device.client.refresh();
    expect(device.client.timestampVersion).toBe(2);
  });

  test("5.4.2 threshold 2: one signature, one key twice and a key under two keyids do not reach it", async () => {
    const repository = await Repository.create();
    repository.keys.timestamp.push(await newSigner());
    await repository.publishRoot({ thresholds: { timestamp: 2 } });
    const { timestamp } = await repository.publish([targetOf("next")]);
    const device = deviceOf(repository);
    const once = readJson(timestamp);
    once.signatures.pop();
    repository.files.set("timestamp.json", writeJson(once));
    await expectRefusal(device, "tuf/threshold-not-met", "5.4.2");
    const twice = { ...once, signatures: [once.signatures[0], once.signatures[0]] };
    repository.files.set("timestamp.json", writeJson(twice));
    await expect(device.client.refresh()).rejects.toMatchObject({ code: "tuf/invalid-metadata" });
    const relabelled = readJson(timestamp);
    relabelled.signatures[1] = { ...relabelled.signatures[1]!, sig: relabelled.signatures[0]!.sig };
    repository.files.set("timestamp.json", writeJson(relabelled));
    await expectRefusal(device, "tuf/threshold-not-met", "5.4.2");
    repository.files.set("timestamp.json", timestamp);
    await device.client.refresh();
  });

  test("5.4.2 threshold 2: one key that the root lists under two keyids has one vote", async () => {
    const repository = await Repository.create();
    const [signer] = repository.keys.timestamp;
    const { keys, roles } = readJson(repository.root).signed as unknown as {
      keys: Record<string, JsonObject>;
      roles: Record<string, JsonObject>;
    };
    const key = { ...keys[signer!.keyId]!, "x-label": "the same again" };
    const alias = { ...signer!, keyId: sha256(canonicalJson(key)) };
    const changes = {
      keys: { ...keys, [alias.keyId]: key },
      roles: { ...roles, timestamp: { keyids: [signer!.keyId, alias.keyId], threshold: 2 } },
    };
    const trustedRoot = await reseal(repository.root, changes, repository.keys.root);
    const { signed } = readJson(repository.files.get("timestamp.json")!);
    repository.files.set("timestamp.json", await seal(signed, [signer!, alias]));
    await expectRefusal(deviceOf(repository, { trustedRoot }), "tuf/threshold-not-met", "5.4.2");
  });

  test("5.4.3.1 rollback: an older timestamp is refused", async () => {
    const { repository, device } = await refreshed();
    const old = repository.files.get("timestamp.json")!;
    await repository.publish([targetOf("next")]);
    await device.client.refresh();
    repository.files.set("timestamp.json", old);
    await expectRefusal(device, "tuf/rollback", "5.4.3.1");
    expect(storedVersion(device.store, "timestamp")).toBe(2);
  });

  test("5.4.3.1 an equal version is normal: the stored file stays, whatever the new one says", async () => {
    const { repository, device } = await refreshed();
    const trusted = device.store.files.get("timestamp");
    const other = await reseal(
      repository.files.get("timestamp.json")!,
      { meta: { "snapshot.json": { version: 100 } } },
      repository.keys.timestamp,
    );
    repository.files.set("timestamp.json", other);
    await device.client.refresh();
    expect(device.store.files.get("timestamp")).toBe(trusted);
  });

  test("5.4.3.2 rollback: a newer timestamp that names an older snapshot is refused", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("next")]);
    await device.client.refresh();
    const snapshot = { version: 1, bytes: repository.files.get("1.snapshot.json")! };
    const back = { version: 3, expiresMs: START_MS + DAY_MS, snapshot };
    repository.files.set(
      "timestamp.json",
      await signTimestamp({ ...back, signers: repository.keys.timestamp }),
    );
    await expectRefusal(device, "tuf/rollback", "5.4.3.2");
    expect(storedVersion(device.store, "timestamp")).toBe(2);
  });

  test("5.4.4 freeze: an expired timestamp is refused, new or equal", async () => {
    const { repository, device } = await refreshed();
    device.clock.setNow(START_MS + 8 * DAY_MS);
    await expectRefusal(device, "tuf/expired", "5.4.4");
    await repository.publish([targetOf("frozen")], START_MS);
    await expectRefusal(device, "tuf/expired", "5.4.4");
    expect(storedVersion(device.store, "timestamp")).toBe(1);
    await repository.publish([targetOf("fresh")], START_MS + 8 * DAY_MS);
    await device.client.refresh();
    expect(device.client.target("fresh")).toBeDefined();
  });

  test("5.4.4 expiry is exclusive: at the very second it has expired", async () => {
    const repository = await Repository.create();
    const device = deviceOf(repository);
    device.clock.setNow(START_MS + 7 * DAY_MS);
    await expectRefusal(device, "tuf/expired", "5.4.4");
    device.clock.setNow(START_MS + 7 * DAY_MS - 1);
    await device.client.refresh();
  });
});

describe("5.5 snapshot", () => {
  test("5.5.1 a missing snapshot is a coded error, and the next refresh recovers", async () => {
    const { repository, device } = await refreshed();
    const { snapshot } = await repository.publish([targetOf("next")]);
    repository.files.delete("2.snapshot.json");
    await expectRefusal(device, "tuf/missing-metadata", "5.5.1");
    expect(storedVersion(device.store, "timestamp")).toBe(2);
    repository.files.set("2.snapshot.json", snapshot);
    await device.client.refresh();
    expect(device.client.target("next")).toBeDefined();
  });

  test("5.5.2 mix-and-match: a genuine snapshot of another release is refused by its hash", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("next")]);
    repository.files.set("2.snapshot.json", repository.files.get("1.snapshot.json")!);
    await expectRefusal(device, "tuf/hash-mismatch", "5.5.2");
  });

  test("5.5.3 a snapshot that the timestamp key vouches for, but the snapshot key did not sign", async () => {
    const { repository, device } = await refreshed();
    await publishSnapshot(repository, { version: 2 }, repository.keys.timestamp);
    await expectRefusal(device, "tuf/threshold-not-met", "5.5.3");
  });

  test("5.5.4 a version other than the listed one is refused", async () => {
    const { repository, device } = await refreshed();
    await publishSnapshot(repository, { version: 5 }, repository.keys.snapshot);
    await expectRefusal(device, "tuf/wrong-version", "5.5.4");
  });

  test("5.5.5 rollback of targets, and a targets file that vanishes", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("next")]);
    await device.client.refresh();
    const meta = { "targets.json": { version: 1 } };
    await publishSnapshot(repository, { version: 3, meta }, repository.keys.snapshot);
    await expectRefusal(device, "tuf/rollback", "5.5.5");
    const listed = { "targets.json": { version: 3 }, "other.json": { version: 4 } };
    repository.versions = { timestamp: 3, snapshot: 2, targets: 3 };
    await publishSnapshot(repository, { version: 3, meta: listed }, repository.keys.snapshot);
    const targets = await signTargets({
      version: 3,
      expiresMs: START_MS + DAY_MS,
      targets: [targetOf("c")],
      signers: repository.keys.targets,
    });
    repository.files.set("3.targets.json", targets);
    await device.client.refresh();
    repository.versions = { timestamp: 4, snapshot: 3, targets: 3 };
    await publishSnapshot(
      repository,
      { version: 4, meta: { "targets.json": { version: 3 } } },
      repository.keys.snapshot,
    );
    await expectRefusal(device, "tuf/rollback", "5.5.5");
  });

  test("5.5.5 an expired snapshot in the store still protects against rollback", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("next")]);
    await device.client.refresh();
    const nowMs = START_MS + 60 * DAY_MS;
    device.clock.setNow(nowMs);
    const meta = { "targets.json": { version: 1 } };
    await publishSnapshot(repository, { version: 3, meta }, repository.keys.snapshot, nowMs);
    await expectRefusal(device, "tuf/rollback", "5.5.5");
  });

  test("5.5.6 freeze: a stored snapshot that expired is not kept on by fresh timestamps", async () => {
    const { repository, device } = await refreshed();
    const nowMs = START_MS + 30 * DAY_MS;
    device.clock.setNow(nowMs);
    const snapshot = { version: 1, bytes: repository.files.get("1.snapshot.json")! };
    const { timestamp: signers } = repository.keys;
    const fresh = { version: 2, expiresMs: nowMs + DAY_MS, snapshot, signers };
    repository.files.set("timestamp.json", await signTimestamp(fresh));
    await expectRefusal(device, "tuf/expired", "5.5.6");
  });

  test("5.5.6 freeze: an expired snapshot is refused", async () => {
    const { repository, device } = await refreshed();
    repository.expiresMs.snapshot = -1;
    await repository.publish([targetOf("next")]);
    await expectRefusal(device, "tuf/expired", "5.5.6");
    expect(storedVersion(device.store, "snapshot")).toBe(1);
  });
});

describe("5.6 targets", () => {
  test("5.6.1 missing targets are a coded error", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("next")]);
    repository.files.delete("2.targets.json");
    await expectRefusal(device, "tuf/missing-metadata", "5.6.1");
  });

  test("5.6.2 mix-and-match: genuine targets of another release are refused by their hash", async () => {
    const { repository, device } = await refreshed();
    await repository.publish([targetOf("models/digits/a-longer-name-than-before.json")]);
    repository.files.set("2.targets.json", repository.files.get("1.targets.json")!);
    await expectRefusal(device, "tuf/hash-mismatch", "5.6.2");
  });

  test("5.6.3 targets that the targets key did not sign are refused though the snapshot lists them", async () => {
    const { repository, device } = await refreshed();
    await publishTargets(repository, 2, repository.keys.snapshot);
    await expectRefusal(device, "tuf/threshold-not-met", "5.6.3");
  });

  test("5.6.4 a version other than the listed one is refused", async () => {
    const { repository, device } = await refreshed();
    await publishTargets(repository, 7, repository.keys.targets);
    await expectRefusal(device, "tuf/wrong-version", "5.6.4");
  });

  test("5.6.5 freeze: expired targets are refused", async () => {
    const { repository, device } = await refreshed();
    repository.expiresMs.targets = -1;
    await repository.publish([targetOf("next")]);
    await expectRefusal(device, "tuf/expired", "5.6.5");
    expect(storedVersion(device.store, "targets")).toBe(1);
  });
});

async function rotatedRoot(
  repository: Repository,
  root: Repository["keys"]["root"],
  signers: Repository["keys"]["root"],
): Promise<Uint8Array> {
  const { signRoot } = await import("../src/index.ts");
  return signRoot({
    version: 2,
    expiresMs: START_MS + DAY_MS,
    keysByRole: roleKeys({ ...repository.keys, root }),
    signers,
    previous: repository.root,
  });
}

/** Signs a snapshot with any keys, and a genuine timestamp that lists it as the version after the last. */
async function publishSnapshot(
  repository: Repository,
  changes: Parameters<typeof reseal>[1],
  signers: Parameters<typeof reseal>[2],
  nowMs = START_MS,
): Promise<void> {
  const { snapshot, timestamp } = repository.versions!;
  const expires = new Date(nowMs + DAY_MS).toISOString().replace(".000", "");
  const last = repository.files.get(`${snapshot}.snapshot.json`)!;
  const bytes = await reseal(last, { expires, ...changes }, signers);
  repository.files.set(`${snapshot + 1}.snapshot.json`, bytes);
  repository.files.set(
    "timestamp.json",
    await signTimestamp({
      version: timestamp + 1,
      expiresMs: nowMs + DAY_MS,
      snapshot: { version: snapshot + 1, bytes },
      signers: repository.keys.timestamp,
    }),
  );
}

/** Signs targets of some version with any keys, and genuine files that list them as version 2. */
async function publishTargets(
  repository: Repository,
  version: number,
  signers: Parameters<typeof reseal>[2],
): Promise<void> {
  const last = repository.files.get("1.targets.json")!;
  await listTargets(repository, 2, await reseal(last, { version }, signers));
}

async function listTargets(repository: Repository, version: number, bytes: Uint8Array): Promise<void> {
  repository.files.set(`${version}.targets.json`, bytes);
  const signed = await signSnapshotAndTimestamp({
    previous: repository.versions!,
    targets: { version, bytes },
    expiresMs: { snapshot: START_MS + DAY_MS, timestamp: START_MS + DAY_MS },
    signers: repository.keys,
  });
  repository.files.set(`${signed.versions.snapshot}.snapshot.json`, signed.snapshot);
  repository.files.set("timestamp.json", signed.timestamp);
}
