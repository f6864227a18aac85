import { cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { failure, systemClock, type Clock } from "@tributary/core";
import SqliteDatabase from "better-sqlite3";
import { openSqlMetadataStore } from "../adapters/sql/sql-metadata-store.ts";
import { OPERATOR_BY_FILES } from "../audit/actors.ts";
import { roundAbandoned } from "../audit/records.ts";
import { storageFailure, syncFile, syncFolder } from "../durable-files.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { newestVersion, NUMBERS_TAKEN, numbersTaken } from "../registry/next-number.ts";
import { requireAuditWhole, requireLogsContinued, storedHeads } from "../releases/signed-heads.ts";
import { RELEASES_RESTORED } from "../releases/releases.ts";
import {
  BLOBS,
  copySecrets,
  DATABASE,
  digestOfFile,
  readManifest,
  type BackupManifest,
} from "./backup-files.ts";
import { copyBlobs } from "./copy-blobs.ts";

export interface RestoreOptions {
  readonly backup: string;
  /** Empty, or not there yet. */
  readonly dataDir: string;
  readonly clock?: Pick<Clock, "now">;
}

/** Rounds and versions that may have come between a backup and its restore, for each task and model. */
const NUMBERS_GAP = 1_000;

/**
 * Makes a data directory of a backup. What devices may have learned since stays true for them: release metadata goes on with
 * higher numbers than any that can have been signed, and so do rounds and versions, so that no number comes to mean two things.
 * Rounds that were under way are over. Where it fails, nothing of it stays.
 *
 * @throws `coordinator/data-dir-not-empty`, `coordinator/backup-unusable`, `store/corrupt`, `store/quota-exceeded`
 */
export async function restoreDataDir(options: RestoreOptions): Promise<BackupManifest> {
  const { backup, dataDir, clock = systemClock } = options;
  const manifest = await readManifest(backup);
  if ((await readdir(dataDir).catch(() => [])).length > 0)
    throw failure(
      "coordinator/data-dir-not-empty",
      `restore: ${dataDir} is not empty, and nothing is overwritten; move it away, or choose another with --data-dir`,
      { detail: { dataDir } },
    );
  const source = join(backup, DATABASE);
  const { digest } = await digestOfFile(source).catch(() => ({ digest: undefined }));
  if (digest !== manifest.database.digest)
    throw failure("store/corrupt", `restore: ${source} is not the database that was backed up`, {
      detail: { expected: manifest.database.digest, got: digest ?? "nothing" },
    });
  // The outermost folder that is made here.
  const made = await mkdir(dataDir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw storageFailure(error, "the data directory");
  });
  try {
    // Under another name until all is there: what a restore that was interrupted leaves does not start.
    const database = join(dataDir, `${DATABASE}.restoring`);
    await cp(source, database);
    requireIntact(database);
    await copyBlobs(join(backup, BLOBS), join(dataDir, BLOBS), database);
    const store = await openSqlMetadataStore({ path: database });
    try {
      // What a start would refuse is refused here, while the directory from before may still be there.
      const timestamp = await store.releases.latest("timestamp");
      await requireLogsContinued(store, timestamp, await storedHeads(store));
      await requireAuditWhole(store, timestamp);
      await moveOn(store, manifest, clock.now());
    } finally {
      await store.close();
    }
    if (manifest.keys) await copySecrets(backup, dataDir);
    await syncFile(database);
    await rename(database, join(dataDir, DATABASE));
    await syncFolder(dataDir);
    return manifest;
  } catch (error) {
    // What is told is why it failed, also where not even this can be done.
    await removeMade(dataDir, made).catch(() => undefined);
    throw storageFailure(error, "the data directory");
  }
}

/** Leaves what was there before: the folder that `made` lies in, or an empty data directory. */
async function removeMade(dataDir: string, made: string | undefined): Promise<void> {
  const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true });
  if (made !== undefined) return remove(made);
  for (const name of await readdir(dataDir)) await remove(join(dataDir, name));
}

function requireIntact(path: string): void {
  const database = new SqliteDatabase(path, { readonly: true });
  try {
    const found = database.pragma("integrity_check", { simple: true });
    if (found !== "ok") throw failure("store/corrupt", `restore: ${path}: ${String(found)}`);
  } finally {
    database.close();
  }
}

async function moveOn(
  store: MetadataStore,
  { createdAt, database }: BackupManifest,
  at: number,
): Promise<void> {
  await store.transaction(async (tx) => {
    for (const round of await tx.rounds.open()) {
      const seconds = Math.max(0, at - round.startedAt) / 1000;
      const reason = "round/interrupted";
      await tx.rounds.update({
        ...round,
        phase: "abandoned",
        reason,
        endedAt: at,
        deadlineAt: null,
        seconds,
      });
      await tx.audit.append([roundAbandoned({ ...round, reason })], at);
    }
    const before = await numbersTaken(tx);
    const rounds: Record<string, number> = {};
    for (const { name } of await tx.tasks.list())
      rounds[name] = Math.max(before.rounds[name] ?? 0, await tx.rounds.lastNumber(name)) + NUMBERS_GAP;
    const versions: Record<string, number> = {};
    for (const { name } of await tx.models.list())
      versions[name] = Math.max(before.versions[name] ?? 0, await newestVersion(tx, name)) + NUMBERS_GAP;
    await tx.settings.set(NUMBERS_TAKEN, { rounds, versions });
    await tx.settings.set(RELEASES_RESTORED, true);
    // The log goes on from what was in the backup: what came after it is lost, and this says so.
    await tx.audit.append(
      [
        {
          actor: OPERATOR_BY_FILES,
          action: "backup.restore",
          object: {},
          detail: { database: database.digest, createdAt: new Date(createdAt).toISOString() },
        },
      ],
      at,
    );
  });
}
