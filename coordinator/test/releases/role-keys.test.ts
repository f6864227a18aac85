import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { asModelName, sha256 } from "@tributary/core";
import {
  addSignatures,
  createTufClient,
  generateP256Key,
  generateTufKey,
  parseMetadata,
} from "@tributary/tuf";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { signingKeyPath } from "../../src/keys/signing-key.ts";
import type { TargetRecord } from "../../src/ports/release-records.ts";
import type { Releases } from "../../src/rooms.ts";
import { createReleases } from "../../src/releases/releases.ts";
import { modelRole, trainingRole } from "../../src/releases/roles.ts";
import { codeOf } from "../../src/testing/index.ts";
import { openRoom, type Room } from "../room.ts";

const DAY_MS = 86_400_000;
const MANIFEST = "models/digits/stable.json";
const ROUND = "models/digits/versions/2/weights.safetensors";

let room: Room;
let releases: Releases;

beforeEach(async () => {
  room = await openRoom();
  releases = await createReleases(room);
});
afterEach(async () => {
  await releases.close();
  await room.dispose();
});

async function restart(): Promise<void> {
  await releases.close();
  await room.restart();
  releases = await createReleases(room);
}

function target(path: string, role: string, content = path): TargetRecord {
  const bytes = new TextEncoder().encode(content);
  return { role, path, digest: sha256(bytes), sizeBytes: bytes.length, custom: null };
}

const release = (...put: TargetRecord[]) =>
  releases.release({ put }, (change) => room.store.releases.apply(change));

function device() {
  const files = new Map<string, Uint8Array>();
  return createTufClient({
    trustedRoot: releases.root,
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

const viewOf = async (role: string) => (await releases.keys.views()).find((view) => view.role === role)!;

/** Signs what a role waits for with keys that the coordinator does not have. */
async function signElsewhere(role: string, ...signers: Parameters<typeof addSignatures>[1]) {
  const { bytes } = await releases.keys.draft(role);
  return releases.keys.sign(role, await addSignatures(bytes, signers));
}

describe("delegations", () => {
  test("a model's releases and the versions of its rounds are signed by two roles, found by devices", async () => {
    await release(target(MANIFEST, "digits"), target(ROUND, "digits-training"));
    const client = device();
    await client.refresh();
    expect(client.target(MANIFEST)).toBeUndefined();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits").digest);
    expect((await client.find(ROUND))?.sha256).toBe(target(ROUND, "digits-training").digest);
    expect(client.delegations().map(({ name }) => name)).toEqual(["digits", "digits-training"]);
    expect((await readdir(room.keysFolder)).toSorted()).toEqual([
      "role.digits-training.key.json",
      "role.digits.key.json",
      "root.key.json",
      "snapshot.key.json",
      "targets.key.json",
      "timestamp.key.json",
    ]);
  });

  test("the training role is believed for versions of its model alone, and never before the model's role", async () => {
    await release(
      target("models/digits/beta.json", "digits-training"),
      target("models/texts/versions/1/x", "digits-training"),
      target("models/texts/stable.json", "texts"),
      target(ROUND, "digits-training", "of the training"),
      target(ROUND, "digits", "as released"),
    );
    const client = device();
    await client.refresh();
    expect(await client.find("models/digits/beta.json")).toBeUndefined();
    expect(await client.find("models/texts/versions/1/x")).toBeUndefined();
    expect((await client.find(ROUND))?.sha256).toBe(target(ROUND, "digits", "as released").digest);
  });

  test("only the role whose targets changed is signed anew", async () => {
    await release(target(MANIFEST, "digits"), target(ROUND, "digits-training"));
    const before = await room.store.releases.allLatest();
    await release(target(ROUND, "digits-training", "another"));
    const changed = (await room.store.releases.allLatest())
      .filter(({ role, version }) => before.find((old) => old.role === role)?.version !== version)
      .map(({ role }) => role);
    expect(changed).toEqual(["digits-training", "snapshot", "timestamp"]);
  });

  test("no model's name makes a role that another model has", () => {
    const models = [
      "digits",
      "digits-training",
      "targets",
      "root",
      "snapshot",
      "timestamp",
      "a-training-training",
    ];
    const roles = models.map(asModelName).flatMap((model) => [modelRole(model), trainingRole(model)]);
    expect(new Set(roles).size).toBe(2 * models.length);
    for (const top of ["root", "targets", "snapshot", "timestamp"]) expect(roles).not.toContain(top);
  });
});

test("a store of before roles keeps its root and its keys, and its models get roles", async () => {
  await release(target(MANIFEST, "digits"));
  const before = await room.store.releases.latest("root");
  const raw = new SqliteDatabase(join(room.config.dataDir, "tributary.db"));
  // As it was: nobody but the root said who signs, and a file of the top-level role named all targets.
  raw.exec("delete from signing_roles; delete from tuf_metadata where role like 'digits%'");
  raw.close();
  await restart();
  expect(await room.store.releases.latest("root")).toEqual(before);
  expect((await releases.keys.views()).map(({ role }) => role)).toEqual([
    "root",
    "timestamp",
    "snapshot",
    "targets",
  ]);
  await release(target(MANIFEST, "digits"));
  const client = device();
  await client.refresh();
  expect(await client.find(MANIFEST)).toBeDefined();
});

describe("rotation", () => {
  test("of each key reaches devices that pinned the first root, over a restart", async () => {
    await release(target(MANIFEST, "digits"));
    const client = device();
    await client.refresh();
    for (const role of ["timestamp", "snapshot", "targets", "root", "digits", "digits-training"]) {
      const { keys, waiting } = await releases.keys.rotate(role);
      expect(waiting).toBeNull();
      expect(keys).toHaveLength(1);
      await restart();
      await client.refresh();
      await release(target(ROUND, "digits-training", role), target(MANIFEST, "digits", role));
      await client.refresh();
      expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", role).digest);
    }
    expect(client.rootVersion).toBe(1 + 4);
  });

  test("of the root without its key waits for it; everything else goes on, and so does a restart", async () => {
    await rename(signingKeyPath(room.keysFolder, "root"), join(room.keysFolder, "..", "taken"));
    await restart();
    const { waiting } = await releases.keys.rotate("timestamp");
    expect(waiting).toBeNull(); // the timestamp itself waits for nothing, the root that names its new key does
    expect((await viewOf("root")).waiting).toMatchObject({
      reason: "change",
      version: 2,
      signatures: [
        { have: 0, need: 1 },
        { have: 0, need: 1 },
      ],
    });
    await release(target(MANIFEST, "digits"));
    const client = device();
    await client.refresh();
    expect(await client.find(MANIFEST)).toBeDefined();
    await restart();
    expect((await viewOf("root")).waiting).not.toBeNull();
    await rename(join(room.keysFolder, "..", "taken"), signingKeyPath(room.keysFolder, "root"));
    await restart();
    expect((await viewOf("root")).waiting).toBeNull();
    await client.refresh();
    expect(client.rootVersion).toBe(2);
  });
});

describe("keys elsewhere", () => {
  test("a threshold of Ed25519 and ECDSA keys for a model: its releases wait for the second, rounds go on", async () => {
    await release(target(MANIFEST, "digits", "first"), target(ROUND, "digits-training"));
    const client = device();
    await client.refresh();
    const other = (await generateP256Key()).signer;
    const publicKeys = await releases.keys.publicKeys("digits");
    const set = await releases.keys.set("digits", { keys: [...publicKeys, other.key], threshold: 2 });
    expect(set.waiting).toMatchObject({ reason: "change", signatures: [{ have: 1, need: 2 }] });
    // Until both have signed, the old key's word holds.
    await release(target(ROUND, "digits-training", "next round"));
    await client.refresh();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", "first").digest);
    expect((await client.find(ROUND))?.sha256).toBe(target(ROUND, "digits-training", "next round").digest);

    expect((await signElsewhere("digits", other)).waiting).toBeNull();
    await client.refresh();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", "first").digest);
    expect(client.delegations()[0]).toMatchObject({ name: "digits", threshold: 2 });

    await release(target(MANIFEST, "digits", "second"));
    expect((await viewOf("digits")).waiting).toMatchObject({ signatures: [{ have: 1, need: 2 }] });
    await client.refresh();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", "first").digest);
    await signElsewhere("digits", other);
    await client.refresh();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", "second").digest);
  });

  test("the top-level targets too: a new model waits for their key, models that are there go on", async () => {
    await release(target(MANIFEST, "digits"));
    const elsewhere = (await generateTufKey()).signer;
    await releases.keys.set("targets", { keys: [elsewhere.key] });
    await signElsewhere("targets", elsewhere);
    expect((await viewOf("targets")).keys).toEqual([
      { keyId: elsewhere.keyId, scheme: "ed25519", here: false },
    ]);
    await rm(signingKeyPath(room.keysFolder, "targets"));
    await restart();
    await release(target("models/texts/stable.json", "texts"), target(MANIFEST, "digits", "second"));
    const client = device();
    await client.refresh();
    expect((await client.find(MANIFEST))?.sha256).toBe(target(MANIFEST, "digits", "second").digest);
    expect(await client.find("models/texts/stable.json")).toBeUndefined();
    await signElsewhere("targets", elsewhere);
    await client.refresh();
    expect(await client.find("models/texts/stable.json")).toBeDefined();
  });

  test("expiry is seen months before, and a renewal keeps its signatures until it is whole", async () => {
    await release(target(MANIFEST, "digits"));
    const [a, b] = [(await generateTufKey()).signer, (await generateTufKey()).signer];
    await releases.keys.set("digits", { keys: [a.key, b.key], threshold: 2 });
    await signElsewhere("digits", a);
    await signElsewhere("digits", b);
    const day = async (days: number) => {
      room.clock.setNow(room.clock.now() + days * DAY_MS);
      await restart();
    };
    await day(180);
    expect(await viewOf("digits")).toMatchObject({ waiting: null, expiresInDays: 185 });
    await day(5);
    expect(await viewOf("digits")).toMatchObject({ waiting: { reason: "renewal" }, expiresInDays: 180 });
    await signElsewhere("digits", a);
    await day(5);
    expect((await viewOf("digits")).waiting).toMatchObject({ signatures: [{ have: 1, need: 2 }] });
    await signElsewhere("digits", b);
    expect(await viewOf("digits")).toMatchObject({ waiting: null });
    expect((await viewOf("digits")).expiresInDays).toBeGreaterThan(350);
    const client = device();
    await client.refresh();
    expect(await client.find(MANIFEST)).toBeDefined();
  });

  test("what does not sign, or not this, is refused", async () => {
    await release(target(MANIFEST, "digits"));
    const [mine, stranger] = [(await generateTufKey()).signer, (await generateTufKey()).signer];
    expect(await codeOf(releases.keys.draft("digits"))).toBe("coordinator/nothing-to-sign");
    expect(await codeOf(releases.keys.draft("nobody"))).toBe("coordinator/unknown-role");
    await releases.keys.set("digits", { keys: [mine.key] });
    expect(await codeOf(signElsewhere("digits", stranger))).toBe("coordinator/signature-invalid");
    for (const nothing of ["no file", "{}", '{"signed":{},"signatures":[]}'])
      expect(await codeOf(releases.keys.sign("digits", new TextEncoder().encode(nothing)))).toBe(
        "protocol/invalid-document",
      );
    const { bytes } = await releases.keys.draft("digits");
    const signed = await addSignatures(bytes, [mine]);
    const broken = new TextEncoder().encode(
      new TextDecoder().decode(signed).replace(/"sig":"(.)/, (_, digit) => `"sig":"${digit === "0" ? 1 : 0}`),
    );
    expect(await codeOf(releases.keys.sign("digits", broken))).toBe("coordinator/signature-invalid");
    await release(target(MANIFEST, "digits", "changed meanwhile"));
    expect(await codeOf(releases.keys.sign("digits", signed))).toBe("coordinator/draft-outdated");
    expect((await signElsewhere("digits", mine)).waiting).toBeNull();
  });

  test("keys that could not sign are refused", async () => {
    const [key] = await releases.keys.publicKeys("timestamp");
    const elsewhere = (await generateTufKey()).signer.key;
    const refused = [
      releases.keys.set("root", { threshold: 2 }),
      releases.keys.set("root", { keys: [] }),
      releases.keys.set("root", { keys: [elsewhere, elsewhere] }),
      // The coordinator signs these at any time.
      releases.keys.set("timestamp", { keys: [elsewhere] }),
      releases.keys.set("timestamp", { keys: [key!, elsewhere], threshold: 2 }),
    ];
    for (const each of refused) expect(await codeOf(each)).toBe("coordinator/invalid-role-keys");
    const { signed } = await parseMetadata("root", (await room.store.releases.latest("root"))!.bytes);
    expect(signed.version).toBe(1);
  });
});
