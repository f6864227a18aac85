import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDigest, type Digest } from "@tributary/core";
import type { BlobCache, KeptBlob } from "../store/device-store.ts";
import { errorCode, readFileIfAny, removeFile, storeFailure, writeFileAtomic } from "./atomic-file.ts";

const PARTIAL = ".partial";

/** One file a blob, named by its digest; downloads under way beside them. Readers check the digest. */
export function createFileBlobs(directory: string): BlobCache {
  const fileOf = (digest: Digest): string => join(directory, digest);
  const partialOf = (digest: Digest): string => join(directory, digest + PARTIAL);
  return {
    read: (digest) => readFileIfAny(fileOf(digest)),
    async write(digest, bytes) {
      // On disk before the record that a version of it is installed: offline nobody could fetch again what a power cut took.
      await writeFileAtomic(fileOf(digest), bytes);
      await removeFile(partialOf(digest));
    },
    delete: (digest) => removeFile(fileOf(digest)),
    list: () => sizesOf(directory, ""),
    readPartial: (digest) => readFileIfAny(partialOf(digest)),
    async appendPartial(digest, offset, chunk) {
      const path = partialOf(digest);
      let file;
      try {
        file = await open(path, offset === 0 ? "w" : "r+", 0o600);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw storeFailure("open", path, error);
        throw new RangeError(`appendPartial: nothing is kept of ${digest}, got offset ${offset}`);
      }
      try {
        const { size } = await file.stat();
        if (size !== offset) {
          throw new RangeError(`appendPartial: ${size} bytes of ${digest} are kept, got offset ${offset}`);
        }
        await file.write(chunk, 0, chunk.length, offset);
      } catch (error) {
        throw error instanceof RangeError ? error : storeFailure("write", path, error);
      } finally {
        await file.close();
      }
    },
    deletePartial: (digest) => removeFile(partialOf(digest)),
    listPartials: () => sizesOf(directory, PARTIAL),
  };
}

/** Of the files that are named by a digest and `suffix`. */
async function sizesOf(directory: string, suffix: string): Promise<KeptBlob[]> {
  const digests = (await readdir(directory))
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, name.length - suffix.length))
    .filter(isDigest);
  const sizes = await Promise.all(
    digests.map(
      async (digest) => (await stat(join(directory, digest + suffix)).catch(() => undefined))?.size,
    ),
  );
  return digests.flatMap((digest, i) => (sizes[i] === undefined ? [] : [{ digest, sizeBytes: sizes[i] }]));
}
