import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDigest, type Digest } from "@tributary/core";
import type { BlobCache } from "../store/device-store.ts";
import { errorCode, readFileIfAny, removeFile, storeFailure, writeFileAtomic } from "./atomic-file.ts";

const PARTIAL = ".partial";

/** One file a blob, named by its digest; downloads under way beside them. Readers check the digest. */
export function createFileBlobs(directory: string): BlobCache {
  const fileOf = (digest: Digest): string => join(directory, digest);
  const partialOf = (digest: Digest): string => join(directory, digest + PARTIAL);
  return {
    read: (digest) => readFileIfAny(fileOf(digest)),
    async write(digest, bytes) {
      await writeFileAtomic(fileOf(digest), bytes, { durable: false });
      await removeFile(partialOf(digest));
    },
    delete: (digest) => removeFile(fileOf(digest)),
    async list() {
      const names = (await readdir(directory)).filter(isDigest);
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
      return names.map((digest, i) => ({ digest, sizeBytes: sizes[i]! }));
    },
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
    async listPartials() {
      const names = await readdir(directory);
      return names
        .filter((name) => name.endsWith(PARTIAL))
        .map((name) => name.slice(0, -PARTIAL.length))
        .filter(isDigest);
    },
  };
}
