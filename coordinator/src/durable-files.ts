import { type FileHandle, open } from "node:fs/promises";
import { failure } from "@tributary/core";

/** Writes all of it; a file may take less than it is given. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written);
    written += bytesWritten;
  }
}

/** Makes a file's bytes durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes names within a folder durable. Windows cannot open folders; its file system journals them itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Errors of the disk, coded; all others as they are. */
export function storageFailure(error: unknown, what = "the blob folder"): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL")
    return failure("store/quota-exceeded", "store: the disk is full", { cause: error });
  if (code === "EACCES" || code === "EIO" || code === "EROFS" || code === "EMFILE")
    return failure("store/unavailable", `store: ${what} cannot be used: ${code}`, { cause: error });
  return error;
}
