import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDigest, type Digest } from "@tributary/core";
import type { BlobCache, KeptBlob } from "../store/device-store.ts";
import { readFileIfAny, removeFile, storeFailure, writeFileAtomic } from "./atomic-file.ts";

const PARTIAL = ".partial";

/**
 * One file a blob, named by its digest; downloads under way beside them. Readers check the digest. What is there, and how large, is known
 * from the start: nobody else writes the folder while it is locked.
 */
export async function openFileBlobs(directory: string): Promise<BlobCache> {
  const fileOf = (digest: Digest): string => join(directory, digest);
  const partialOf = (digest: Digest): string => join(directory, digest + PARTIAL);
  const [whole, partial] = await Promise.all([sizesOf(directory, ""), sizesOf(directory, PARTIAL)]);
  const remove = async (from: Map<Digest, number>, digest: Digest, path: string): Promise<void> => {
    if (!from.has(digest)) return;
    await removeFile(path);
    from.delete(digest);
  };
  return {
    read: async (digest) => (whole.has(digest) ? await readFileIfAny(fileOf(digest)) : undefined),
    async write(digest, bytes) {
      // On disk before the record that a version of it is installed: offline nobody could fetch again what a power cut took.
      await writeFileAtomic(fileOf(digest), bytes);
      whole.set(digest, bytes.length);
      await remove(partial, digest, partialOf(digest));
    },
    delete: (digest) => remove(whole, digest, fileOf(digest)),
    list: async () => keptOf(whole),
    readPartial: async (digest) => (partial.has(digest) ? await readFileIfAny(partialOf(digest)) : undefined),
    async appendPartial(digest, offset, chunk) {
      const path = partialOf(digest);
      const kept = partial.get(digest);
      if (offset > 0 && kept !== offset)
        throw new RangeError(`appendPartial: ${kept ?? 0} bytes of ${digest} are kept, got offset ${offset}`);
      try {
        const file = await open(path, offset === 0 ? "w" : "r+", 0o600);
        try {
          partial.set(digest, offset);
          await file.write(chunk, 0, chunk.length, offset);
          partial.set(digest, offset + chunk.length);
        } finally {
          await file.close();
        }
      } catch (error) {
        throw storeFailure("write", path, error);
      }
    },
    deletePartial: (digest) => remove(partial, digest, partialOf(digest)),
    listPartials: async () => keptOf(partial),
  };
}

function keptOf(sizes: ReadonlyMap<Digest, number>): KeptBlob[] {
  return Array.from(sizes, ([digest, sizeBytes]) => ({ digest, sizeBytes }));
}

/** Of the files that are named by a digest and `suffix`. */
async function sizesOf(directory: string, suffix: string): Promise<Map<Digest, number>> {
  const digests = (await readdir(directory))
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, name.length - suffix.length))
    .filter(isDigest);
  return new Map(
    await Promise.all(
      digests.map(async (digest) => [digest, (await stat(join(directory, digest + suffix))).size] as const),
    ),
  );
}
