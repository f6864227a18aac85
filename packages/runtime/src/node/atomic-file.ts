import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { failure, type TributaryError } from "@tributary/core";

export interface WriteFileOptions {
  /** Permission bits. @defaultValue 0o600 */
  readonly mode?: number;
  /** Force to disk before the rename. Not needed for what is checked against a digest when read. @defaultValue true */
  readonly durable?: boolean;
}

/** Replaces a file in one step: a reader sees the old bytes or the new ones. */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: WriteFileOptions = {},
): Promise<void> {
  const { mode = 0o600, durable = true } = options;
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(bytes);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw storeFailure("write", path, error);
  }
}

/** The bytes of a file, or `undefined` where there is none. */
export async function readFileIfAny(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const read = await readFile(path);
    return new Uint8Array(read.buffer as ArrayBuffer, read.byteOffset, read.byteLength);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw storeFailure("read", path, error);
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
