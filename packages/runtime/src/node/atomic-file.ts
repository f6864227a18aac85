import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, fsync, openSync, readSync, renameSync, writeSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { failure, type TributaryError } from "@tributary/core";

export interface WriteFileOptions {
  /** Permission bits. @defaultValue 0o600 */
  readonly mode?: number;
  /** Force to disk before the rename. Not needed for what is checked against a digest when read. @defaultValue true */
  readonly durable?: boolean;
}

/** Of a file that is no larger, each step in a thread of its own costs more than the step: only the disk is waited for there. */
const SMALL_BYTES = 128 * 1024;

const synced = promisify(fsync);

/** Replaces a file in one step: a reader sees the old bytes or the new ones. */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: WriteFileOptions = {},
): Promise<void> {
  const { mode = 0o600, durable = true } = options;
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    if (bytes.length <= SMALL_BYTES) {
      await writeSmall(temporary, bytes, { mode, durable });
      renameSync(temporary, path);
    } else {
      await writeLarge(temporary, bytes, { mode, durable });
      await rename(temporary, path);
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw storeFailure("write", path, error);
  }
}

async function writeLarge(path: string, bytes: Uint8Array, how: Required<WriteFileOptions>): Promise<void> {
  const file = await open(path, "wx", how.mode);
  try {
    await file.writeFile(bytes);
    if (how.durable) await file.sync();
  } finally {
    await file.close();
  }
}

async function writeSmall(path: string, bytes: Uint8Array, how: Required<WriteFileOptions>): Promise<void> {
  const file = openSync(path, "wx", how.mode);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    if (how.durable) await synced(file);
  } finally {
    closeSync(file);
  }
}

/** The bytes of a file, or `undefined` where there is none. */
export async function readFileIfAny(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const small = readSmall(path);
    if (small !== undefined) return small;
    const read = await readFile(path);
    return new Uint8Array(read.buffer as ArrayBuffer, read.byteOffset, read.byteLength);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw storeFailure("read", path, error);
  }
}

/** Undefined where the file is larger. */
function readSmall(path: string): Uint8Array<ArrayBuffer> | undefined {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (size > SMALL_BYTES) return undefined;
    const bytes = new Uint8Array(size);
    let length = 0;
    for (let read = 1; read > 0 && length < size; length += read)
      read = readSync(file, bytes, { offset: length });
    return length === size ? bytes : bytes.slice(0, length);
  } finally {
    closeSync(file);
  }
}

export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storeFailure("create", path, error);
  }
}

export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw storeFailure("remove", path, error);
  }
}

/** A file-system error as a coded one. */
export function storeFailure(what: string, path: string, cause: unknown): TributaryError {
  const reason = errorCode(cause) ?? "unknown";
  const code = reason === "ENOSPC" || reason === "EDQUOT" ? "store/quota-exceeded" : "store/unavailable";
  return failure(code, `store: cannot ${what} ${path} (${reason}); check the data directory`, {
    detail: { path, reason },
    cause,
  });
}

export function errorCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
