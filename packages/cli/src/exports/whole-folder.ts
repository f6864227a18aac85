import { randomUUID } from "node:crypto";
import { lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { failure } from "@tributary/core";

/** Takes the files of a folder, by their paths in it. */
export type WriteFile = (path: string, bytes: Uint8Array) => Promise<void>;

/**
 * Makes a folder that is there with everything in it, or not at all: it is filled under another name beside it.
 *
 * @throws `cli/folder-exists` where something has its name already, and what `fill` throws
 */
export async function writeWholeFolder(
  folder: string,
  fill: (write: WriteFile) => Promise<void>,
): Promise<void> {
  await requireFree(folder);
  const staged = join(dirname(folder), `.${basename(folder)}.${randomUUID()}.tmp`);
  try {
    await mkdir(staged, { recursive: true });
    await fill(async (path, bytes) => {
      const file = join(staged, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes, { flag: "wx" });
    });
    await requireFree(folder);
    await rename(staged, folder);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw error;
  }
}

async function requireFree(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined);
  if (found !== undefined)
    throw failure(
      "cli/folder-exists",
      `${folder} exists; name a folder that does not, nothing is overwritten`,
      {
        detail: { folder },
      },
    );
}
