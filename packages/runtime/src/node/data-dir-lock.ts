import { readFileSync, rmSync } from "node:fs";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { failure } from "@tributary/core";
import { errorCode, storeFailure } from "./atomic-file.ts";

export const LOCK_FILE = "device.lock";

interface Holder {
  readonly pid: number;
  readonly thread: number;
}

/** One device, one process: two would sign with the same key and write over each other. */
export interface DataDirLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Takes the lock of a data directory. A lock whose process is gone, as after `kill -9`, is taken over.
 * @throws `runtime/locked`
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const path = join(dataDir, LOCK_FILE);
  const own: Holder = { pid: process.pid, thread: threadId };
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      // A link appears with its content: nobody ever reads half a lock.
      const draft = `${path}.${process.pid}.${threadId}`;
      await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
      try {
        await link(draft, path);
      } finally {
        await rm(draft, { force: true });
      }
      return releaseOnce(path, own);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw storeFailure("lock", path, error);
    }
    const holder = await readHolder(path);
    if (holder !== undefined && isAlive(holder.pid)) {
      throw failure(
        "runtime/locked",
        `runtime: ${dataDir} is used by process ${holder.pid}; stop it, or use another data directory`,
        { detail: { dataDir, pid: holder.pid } },
      );
    }
    await rm(path, { force: true });
  }
  throw failure(
    "runtime/locked",
    `runtime: ${dataDir} could not be locked; another process keeps taking it`,
    {
      detail: { dataDir },
    },
  );
}

/**
 * Removes the lock that a thread of this process left behind when it was terminated. To be called only after the
 * thread has ended.
 */
export function removeOwnLock(dataDir: string): void {
  const path = join(dataDir, LOCK_FILE);
  try {
    if ((JSON.parse(readFileSync(path, "utf8")) as Holder).pid === process.pid) rmSync(path);
  } catch {
    // No lock, or a torn one, which the next owner takes over.
  }
}

function releaseOnce(path: string, own: Holder): DataDirLock {
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      try {
        const holder = JSON.parse(readFileSync(path, "utf8")) as Holder;
        if (holder.pid === own.pid && holder.thread === own.thread) rmSync(path);
      } catch {
        // Someone removed it.
      }
    },
  };
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, "utf8")) as Partial<Holder>;
    return typeof holder.pid === "number" ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}
