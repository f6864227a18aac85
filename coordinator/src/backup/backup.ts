import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { failure, systemClock, type Clock } from "@tributary/core";
import SqliteDatabase from "better-sqlite3";
import { OPERATOR_BY_FILES } from "../audit/actors.ts";
import { recordInDataDir } from "../audit/record-in-data-dir.ts";
import { storageFailure, syncFile, syncFolder } from "../durable-files.ts";
import { VERSION } from "../version.ts";
import { BLOBS, copySecrets, DATABASE, digestOfFile, MANIFEST, type BackupManifest } from "./backup-files.ts";
import { copyBlobs, type CopiedBlobs } from "./copy-blobs.ts";

export interface BackupOptions {
  readonly dataDir: string;
  /** A folder that does not exist yet, or is empty. */
  readonly out: string;
  /** Whether the signing keys, the enrolment secrets and the operator token go along: whoever has them can sign releases. */
  readonly keys: boolean;
  readonly clock?: Pick<Clock, "now">;
}

export interface Backup extends BackupManifest {
  /** Blobs that nothing refers to and that are damaged; they are not in the backup. */
  readonly damaged: CopiedBlobs["damaged"];
}

/** All pages at once: a step that others' writes interrupt would begin anew. */
const ALL_PAGES = 2 ** 30;

/**
 * Copies a data directory while its coordinator runs, or does not: first the database, as it is at one moment, then the blobs, which
 * never change and are on disk before the database names them. The folder appears under its name when it is complete, and that it was
 * made is in the directory's audit log then.
 *
 * @throws `coordinator/backup-unusable`, `store/corrupt`, `store/unavailable`, `store/quota-exceeded`
 */
export async function backupDataDir(options: BackupOptions): Promise<Backup> {
  const { dataDir, out, keys, clock = systemClock } = options;
  if (!existsSync(join(dataDir, DATABASE)))
    throw failure(
      "coordinator/backup-unusable",
      `backup: ${dataDir} holds no ${DATABASE}; name it with --data-dir`,
      {
        detail: { folder: dataDir },
      },
    );
  const before = await readdir(out).catch(() => []);
  if (before.length > 0)
    throw failure(
      "coordinator/backup-unusable",
      `backup: ${out} is not empty; name a folder that does not exist`,
      {
        detail: { folder: out },
      },
    );
  const partial = `${out}.partial`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true, mode: 0o700 });
    const createdAt = clock.now();
    const database = join(partial, DATABASE);
    await copyDatabase(join(dataDir, DATABASE), database);
    const { damaged, ...blobs } = await copyBlobs(join(dataDir, BLOBS), join(partial, BLOBS), database);
    if (keys) await copySecrets(dataDir, partial);
    await syncFile(database);
    const manifest: BackupManifest = {
      format: 1,
      createdAt,
      software: VERSION,
      database: await digestOfFile(database),
      blobs,
      keys,
    };
    await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: 0o600 });
    await syncFile(join(partial, MANIFEST));
    await syncFolder(partial);
    await recordInDataDir(
      dataDir,
      {
        actor: OPERATOR_BY_FILES,
        action: "backup.create",
        object: {},
        detail: { database: manifest.database.digest, keys },
      },
      clock.now(),
    );
    await rm(out, { recursive: true, force: true });
    await rename(partial, out);
    await syncFolder(dirname(out));
    return { ...manifest, damaged };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw storageFailure(error, "the folder of the backup");
  }
}

async function copyDatabase(from: string, to: string): Promise<void> {
  let source: SqliteDatabase.Database | undefined;
  try {
    source = new SqliteDatabase(from, { readonly: true, fileMustExist: true, timeout: 5_000 });
    await source.backup(to, { progress: () => ALL_PAGES });
  } catch (cause) {
    const coded = storageFailure(cause);
    if (coded !== cause) throw coded;
    throw failure("store/unavailable", `backup: ${from} cannot be copied: ${String(cause)}`, { cause });
  } finally {
    source?.close();
  }
}
