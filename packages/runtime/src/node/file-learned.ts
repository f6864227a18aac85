import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SealedFileStore } from "../store/device-store.ts";
import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";
import { fileName, keyName } from "./file-name.ts";

const SUFFIX = ".sealed";

/** One file a name. Not forced to disk: what a power cut takes of it is learned again. */
export function createFileLearned(directory: string): SealedFileStore {
  const fileOf = (name: string): string => join(directory, fileName(name) + SUFFIX);
  return {
    read: (name) => readFileIfAny(fileOf(name)),
    write: (name, sealed) => writeFileAtomic(fileOf(name), sealed, { durable: false }),
    delete: (name) => removeFile(fileOf(name)),
    async list() {
      const names = (await readdir(directory)).filter(
        (name) => name.endsWith(SUFFIX) && !name.startsWith("."),
      );
      return await Promise.all(
        names.map(async (name) => ({
          name: keyName(name.slice(0, -SUFFIX.length)),
          sizeBytes: (await stat(join(directory, name))).size,
        })),
      );
    },
  };
}
