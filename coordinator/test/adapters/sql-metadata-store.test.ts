import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { codeOf, describeMetadataStore } from "../../src/testing/index.ts";
import { exampleAudit } from "../../src/testing/records.ts";
import { temporaryFolder } from "../temporary-folder.ts";

describeMetadataStore("SQLite in memory", async () => ({
  store: await openSqlMetadataStore({ path: ":memory:" }),
}));

describeMetadataStore("SQLite file", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  return {
    store: await openSqlMetadataStore({ path }),
    reopen: () => openSqlMetadataStore({ path }),
    dispose: () => folder.remove(),
  };
});

test("a file is opened in WAL mode with foreign keys", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  const store = await openSqlMetadataStore({ path });
  const raw = new SqliteDatabase(path, { readonly: true });
  expect(raw.pragma("journal_mode", { simple: true })).toBe("wal");
  raw.close();
  await store.close();
  await folder.remove();
});

test("what is recorded is told once it is stored, and not where it is not", async () => {
  const told: string[] = [];
  const store = await openSqlMetadataStore({
    path: ":memory:",
    onRecorded: (records) => told.push(records.map(({ action }) => action).join(" ")),
  });
  await store.audit.append([exampleAudit("task.pause")], 1);
  await store.transaction(async (tx) => {
    await tx.audit.append([exampleAudit("task.resume")], 2);
    await tx.audit.append([exampleAudit("task.finish")], 2);
    expect(told).toEqual(["task.pause"]);
  });
  const failed = store.transaction(async (tx) => {
    await tx.audit.append([exampleAudit("task.reset")], 3);
    throw new Error("taken back");
  });
  await expect(failed).rejects.toThrow("taken back");
  await store.transaction(async () => undefined);
  expect(told).toEqual(["task.pause", "task.resume task.finish"]);
  await store.close();
});

test("what is no database is refused", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "notes.db");
  await writeFile(path, "These are only notes, though long enough to be taken for a header. ".repeat(20));
  expect(await codeOf(openSqlMetadataStore({ path }))).toBe("store/database-damaged");
  expect(await codeOf(openSqlMetadataStore({ path: folder.path }))).toBe("store/unavailable");
  await folder.remove();
});

test("a database of a newer version is refused and left alone", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  await (await openSqlMetadataStore({ path })).close();
  const raw = new SqliteDatabase(path);
  raw.prepare("insert into kysely_migration values (?, ?)").run("0999-future", "2099-01-01T00:00:00Z");
  raw.close();
  expect(await codeOf(openSqlMetadataStore({ path }))).toBe("store/newer-schema");
  await folder.remove();
});
