import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { failure } from "@tributary/core";
import SqliteDatabase from "better-sqlite3";

const LOCK = "coordinator.lock";

/** Whether a coordinator has taken the directory before. */
export async function wasLocked(dataDir: string): Promise<boolean> {
  return (await stat(join(dataDir, LOCK)).catch(() => undefined)) !== undefined;
}

/** One coordinator per data directory. */
export interface InstanceLock {
  release(): void;
}

/**
 * Makes the data directory and takes it for this process. The lock is the operating system's, held through SQLite's
 * file locks, so it ends with the process however that ends.
 *
 * @throws `coordinator/data-dir-unusable`, `coordinator/data-dir-in-use`
 */
export async function lockDataDir(dataDir: string): Promise<InstanceLock> {
  const path = join(dataDir, LOCK);
  const pidPath = join(dataDir, "coordinator.pid");
  try {
    if ((await mkdir(dataDir, { recursive: true, mode: 0o700 })) !== undefined) await chmod(dataDir, 0o700);
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
  const database = openLock(path, dataDir, pidPath);
  try {
    await writeFile(pidPath, `${process.pid}\n`);
  } catch (cause) {
    database.close();
    throw unusable(dataDir, cause);
  }
  return { release: () => void database.close() };
}

function openLock(path: string, dataDir: string, pidPath: string): SqliteDatabase.Database {
  let database: SqliteDatabase.Database | undefined;
  try {
    database = new SqliteDatabase(path, { timeout: 0 });
    // Held by the connection until it closes; nothing is ever written.
    database.exec("begin exclusive");
    return database;
  } catch (cause) {
    database?.close();
    if ((cause as { code?: string }).code === "SQLITE_BUSY") {
      const holder = pidIn(pidPath);
      throw failure(
        "coordinator/data-dir-in-use",
        `coordinator: ${dataDir} is used by another coordinator${holder === undefined ? "" : ` (process ${holder})`}; stop it, or choose another folder with --data-dir`,
        { detail: { dataDir, ...(holder === undefined ? {} : { pid: holder }) }, cause },
      );
    }
    throw unusable(dataDir, cause);
  }
}

function pidIn(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function unusable(dataDir: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return failure("coordinator/data-dir-unusable", `coordinator: ${dataDir} cannot be used: ${reason}`, {
    detail: { dataDir },
    cause,
  });
}
