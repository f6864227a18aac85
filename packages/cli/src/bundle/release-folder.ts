import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import type { ReadRelease } from "./read-release.ts";

export interface WrittenFolder {
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * Writes `root.json`, `tuf/` and `blobs/`, so that the folder is a whole release at every moment: files that others name come first,
 * each in one step, and blobs of earlier releases leave at the end.
 */
export async function writeReleaseFolder(
  folder: string,
  { metadata, blobs }: Pick<ReadRelease, "metadata" | "blobs">,
  root: Uint8Array,
): Promise<WrittenFolder> {
  const files = new Map<string, Uint8Array>([
    ...[...blobs].map(([digest, bytes]): [string, Uint8Array] => [join("blobs", digest), bytes]),
    ["root.json", root],
    ...[...metadata].map(([name, bytes]): [string, Uint8Array] => [join("tuf", name), bytes]),
  ]);
  await mkdir(join(folder, "blobs"), { recursive: true });
  await mkdir(join(folder, "tuf"), { recursive: true });
  let sizeBytes = 0;
  for (const [name, bytes] of files) {
    const staged = join(folder, `.${randomUUID()}.tmp`);
    try {
      await writeFile(staged, bytes);
      await rename(staged, join(folder, name));
    } finally {
      await rm(staged, { force: true });
    }
    sizeBytes += bytes.length;
  }
  for (const name of await readdir(join(folder, "blobs"))) {
    if (/^[0-9a-f]{64}$/.test(name) && !blobs.has(name as never)) await rm(join(folder, "blobs", name));
  }
  return { files: files.size, sizeBytes };
}
