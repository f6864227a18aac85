import { link, lstat, mkdir, open, rm, unlink } from "node:fs/promises";
import { dirname, join, basename } from "node:path";
import { encodeHex, failure, systemRandom, type TributaryError } from "@tributary/core";
import { syncFolder } from "../durable-files.ts";

/** Larger than any key file. */
const MAX_BYTES = 64 * 1024;
/** Bits that let the group or others in. */
const LOOSE = 0o077;
const CHECKS_MODES = process.platform !== "win32";

/**
 * Reads a secret file, `undefined` where there is none.
 *
 * @throws TributaryError `coordinator/key-insecure` where others than the owner could read or replace it,
 * `coordinator/key-corrupt` where it is no plain file of a plausible size.
 */
export async function readKeyFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const found = await lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unusable(path, error);
  });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw corrupt(path, "it is no plain file");
  const file = await open(path, "r").catch((error: unknown) => {
    throw unusable(path, error);
  });
  try {
    // Asked of the open file, so that what was checked is what is read.
    const { mode, size } = await file.stat();
    requirePrivate(path, mode);
    requirePrivate(dirname(path), (await lstat(dirname(path))).mode);
    if (size === 0 || size > MAX_BYTES) throw corrupt(path, `it has ${size} bytes`);
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/**
 * Creates a secret file that only its owner can read, in one step: on disk as a whole or not at all. Never overwrites.
 *
 * @throws TributaryError `store/conflict` where the file exists.
 */
export async function createKeyFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unusable(folder, error);
  });
  requirePrivate(folder, (await lstat(folder)).mode);
  const temporary = join(folder, `.${basename(path)}.${encodeHex(systemRandom.bytes(8))}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path); // unlike rename, refuses to replace a file
    await unlink(temporary);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw failure("store/conflict", `coordinator: ${path} exists; keys are never overwritten`);
    }
    throw unusable(path, error);
  }
}

function requirePrivate(path: string, mode: number): void {
  if (!CHECKS_MODES || (mode & LOOSE) === 0) return;
  throw failure(
    "coordinator/key-insecure",
    `coordinator: ${path} has mode ${(mode & 0o777).toString(8)}, expected no access for group and others (600 for files, 700 for the folder)`,
    { detail: { path } },
  );
}

/** A key file whose content is not what this program writes. */
export function corrupt(path: string, reason: string, cause?: unknown): TributaryError {
  return failure("coordinator/key-corrupt", `coordinator: ${path} is damaged: ${reason}`, {
    detail: { path },
    cause,
  });
}

function unusable(path: string, cause: unknown): TributaryError {
  const reason = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return failure("coordinator/data-dir-unusable", `coordinator: ${path} cannot be used (${reason})`, {
    detail: { path, reason },
    cause,
  });
}
