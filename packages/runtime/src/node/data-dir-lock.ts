import { readFileSync, rmSync } from "node:fs";
import { link, readFile, rm, stat, writeFile } from "node:fs/promises";
import { uptime } from "node:os";
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
 * Takes the lock of a data directory. A lock whose process is gone, as after `kill -9`, is taken over; so is one from
 * before a reboot, or before this process where it has the same id, as in a container.
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
    if (
      holder !== undefined &&
      isAlive(holder.pid) &&
      !(await isOlderThan(path, earliestWrite(holder.pid)))
    ) {
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

/** File times are coarser than clocks. */
const TIME_TOLERANCE_MS = 1000;

/** When a process that has this id now can have written its lock, at the earliest; ms since the epoch. */
function earliestWrite(pid: number): number {
  const upSeconds = pid === process.pid ? process.uptime() : uptime();
  return Date.now() - upSeconds * 1000 - TIME_TOLERANCE_MS;
}

async function isOlderThan(path: string, ms: number): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && info.mtimeMs < ms;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}
