import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asModelName, asTaskName, failure, sha256 } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { createAuditCheck, EMPTY_AUDIT_LOG, followAudit } from "@tributary/protocol";
import SqliteDatabase from "better-sqlite3";
import { afterEach, expect, test, vi } from "vitest";
import { backupDataDir } from "../src/backup/backup.ts";
import { restoreDataDir } from "../src/backup/restore.ts";
import { signedHeads } from "../src/releases/signed-heads.ts";
import { codeOf } from "../src/testing/index.ts";
import { publishTask, rooms, startRoom } from "./rounds/rounds-room.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const model = asModelName("digits");
const { open, dispose } = rooms();
const disposals: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of disposals.splice(0).toReversed()) await end();
  await dispose();
});

/** A running coordinator's rooms with a model and a task, and a place for what is made of them. */
async function running() {
  const room = await open();
  await publishTask(room);
  const folder = await temporaryFolder();
  disposals.push(() => folder.remove());
  return { room, at: (name: string) => join(folder.path, name) };
}

async function firstBlob(backup: string): Promise<string> {
  const blobs = join(backup, "blobs");
  const shard = (await readdir(blobs)).find((name) => name.length === 2)!;
  return join(blobs, shard, (await readdir(join(blobs, shard)))[0]!);
}

test("a restored directory holds what the running one held; what may have been given out since stays free", async () => {
  const { room, at } = await running();
  await vi.waitFor(async () => expect(await room.store.rounds.open()).toHaveLength(1));
  const before = await room.store.releases.latest("timestamp");
  await backupDataDir({ dataDir: room.folder, out: at("backup"), keys: true });
  await room.registry.publish(model, buildLinear({ seed: 2 }));
  await restoreDataDir({ backup: at("backup"), dataDir: at("data") });
  expect((await stat(join(at("data"), "keys"))).mode & 0o077).toBe(0);

  const again = await startRoom(at("data"));
  disposals.push(() => again.stop());
  expect((await again.registry.model(model)).currentVersion).toBe(1);
  for (const role of ["timestamp", "snapshot", "targets"] as const) {
    const { version } = (await again.store.releases.latest(role))!;
    expect(version).toBeGreaterThan(before!.version + 999_999);
  }
  // The audit logs say what was made of what.
  const [made] = await room.store.audit.list({ action: "backup.create" }, { limit: 2 });
  expect(made).toMatchObject({ actor: { kind: "operator", via: "files" }, detail: { keys: true } });
  const [restored] = await again.store.audit.list({ action: "backup.restore" }, { limit: 2 });
  expect(restored).toMatchObject({
    actor: { kind: "operator", via: "files" },
    detail: { database: made!.detail["database"] },
  });
  // The round that was under way is over; its number, and those that may have followed, stay taken.
  await vi.waitFor(async () =>
    expect(await again.store.rounds.list(asTaskName("digits"))).toMatchObject([
      { number: 1_002, phase: "selecting" },
      { number: 1, phase: "abandoned", reason: "round/interrupted" },
    ]),
  );
  expect(await again.registry.publish(model, buildLinear({ seed: 3 }))).toMatchObject({
    version: 1_002,
    parentVersion: 1,
  });
  // Once: the next start signs nothing anew.
  const signed = await again.store.releases.latest("targets");
  await again.stop();
  const third = await startRoom(at("data"));
  disposals.push(() => third.stop());
  expect(await third.store.releases.latest("targets")).toEqual(signed);
});

test("keys are in a backup only where that was said", async () => {
  const { room, at } = await running();
  expect(await backupDataDir({ dataDir: room.folder, out: at("backup"), keys: false })).toMatchObject({
    keys: false,
  });
  expect((await readdir(at("backup"))).toSorted()).toEqual(["backup.json", "blobs", "tributary.db"]);
  await restoreDataDir({ backup: at("backup"), dataDir: at("data") });
  expect(await codeOf(startRoom(at("data")))).toBe("coordinator/key-missing");
});

test("nothing is overwritten, and nothing half made is believed", async () => {
  const { room, at } = await running();
  const backup = at("backup");
  await backupDataDir({ dataDir: room.folder, out: backup, keys: true });
  expect(await codeOf(backupDataDir({ dataDir: room.folder, out: backup, keys: true }))).toBe(
    "coordinator/backup-unusable",
  );
  expect(await codeOf(backupDataDir({ dataDir: at("nowhere"), out: at("other"), keys: true }))).toBe(
    "coordinator/backup-unusable",
  );
  expect(await codeOf(restoreDataDir({ backup, dataDir: room.folder }))).toBe(
    "coordinator/data-dir-not-empty",
  );
  expect(await codeOf(restoreDataDir({ backup: at("nowhere"), dataDir: at("data") }))).toBe(
    "coordinator/backup-unusable",
  );

  const blob = await firstBlob(backup);
  const bytes = await readFile(blob);
  await writeFile(blob, bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1));
  const damaged = restoreDataDir({ backup, dataDir: at("new/data") });
  await expect(damaged).rejects.toThrow(blob.slice(-64));
  expect(await codeOf(damaged)).toBe("store/corrupt");
  await rm(blob);
  await mkdir(at("again"));
  expect(await codeOf(restoreDataDir({ backup, dataDir: at("again") }))).toBe("store/corrupt");
  // Nothing is left that was not there before.
  expect([existsSync(at("new")), await readdir(at("again"))]).toEqual([false, []]);
  await writeFile(blob, bytes);
  await restoreDataDir({ backup, dataDir: at("well") });

  const database = join(backup, "tributary.db");
  const rows = await readFile(database);
  await writeFile(database, rows.subarray(0, rows.length - 1));
  expect(await codeOf(restoreDataDir({ backup, dataDir: at("last") }))).toBe("store/corrupt");
});

test("a backup whose logs do not continue what was signed is not restored; who kept a later head sees what a restore lost", async () => {
  const { room, at } = await running();
  const backup = at("backup");
  await room.identity();
  await room.releases.signLogHeads();
  await backupDataDir({ dataDir: room.folder, out: backup, keys: true });
  await room.registry.publish(model, buildLinear({ seed: 2 }));
  const lost = await room.store.audit.head();

  await restoreDataDir({ backup, dataDir: at("well") });
  const again = await startRoom(at("well"));
  disposals.push(() => again.stop());
  const finding = async () => {
    const check = createAuditCheck([{ head: lost, from: "the audit before" }]);
    try {
      for (const record of await again.store.audit.read(0, 1_000)) check.add(record);
      return check.end();
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  // Each record follows the one before it, and the one that says so was signed at the start.
  const restored = (await again.store.audit.list({ action: "backup.restore" }, { limit: 1 }))[0]!;
  const { audit } = await signedHeads(await again.store.releases.latest("timestamp"));
  expect(audit!.size).toBeGreaterThan(restored.index);
  const records = await again.store.audit.read(0, 1_000);
  expect(records.reduce(followAudit, EMPTY_AUDIT_LOG).size).toBe(records.length);
  expect(["audit/cut-off", "audit/forked"]).toContain(await finding());
  for (let seed = 3; (await again.store.audit.head()).size < lost.size; seed++)
    await again.registry.publish(model, buildLinear({ seed }));
  expect(await finding()).toBe("audit/forked");

  // Whoever puts the digest right too.
  const database = join(backup, "tributary.db");
  const whole = await readFile(database);
  const attacks = [
    "update audit_records set detail = '{}' where record_index = (select max(record_index) from audit_records)",
    "update audit_records set detail = '{}' where record_index = 1",
    "delete from audit_records where record_index > 0",
    "delete from audit_records where record_index = (select max(record_index) - 1 from audit_records)",
    "delete from certificate_log",
  ];
  for (const [i, attack] of attacks.entries()) {
    await writeFile(database, whole);
    const raw = new SqliteDatabase(database);
    raw.prepare(attack).run();
    raw.pragma("journal_mode = DELETE");
    raw.close();
    const manifest = JSON.parse(await readFile(join(backup, "backup.json"), "utf8")) as object;
    const digest = sha256(await readFile(database));
    const { length: sizeBytes } = await readFile(database);
    await writeFile(
      join(backup, "backup.json"),
      JSON.stringify({ ...manifest, database: { digest, sizeBytes } }),
    );
    expect([attack, await codeOf(restoreDataDir({ backup, dataDir: at(`attacked-${i}`) }))]).toEqual([
      attack,
      "store/corrupt",
    ]);
    expect(existsSync(at(`attacked-${i}`))).toBe(false);
  }
});

test("a damaged blob ends the backup of a directory that uses it, and only then", async () => {
  const { room, at } = await running();
  const unused = await room.blobs.put(new Uint8Array([1, 2, 3]));
  await writeFile(join(room.folder, "blobs", unused.digest.slice(0, 2), unused.digest), "other");
  const { damaged } = await backupDataDir({ dataDir: room.folder, out: at("backup"), keys: false });
  expect(damaged).toEqual([unused.digest]);
  const version = await room.store.versions.get(model, 1 as never);
  const { digest } = version?.weights ?? { digest: String(failure("core/internal", "no version")) };
  await writeFile(join(room.folder, "blobs", digest.slice(0, 2), digest), "other");
  await expect(backupDataDir({ dataDir: room.folder, out: at("second"), keys: false })).rejects.toThrow(
    digest,
  );
  // Neither a backup nor a part of one stays.
  expect(await readdir(join(at("backup"), "..")).then((names) => names.toSorted())).toEqual(["backup"]);
});
