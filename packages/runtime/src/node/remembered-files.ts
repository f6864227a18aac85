import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";

/** Small files of a folder that nobody else writes while it is locked: what they say is read once. */
export interface RememberedFiles {
  read(path: string): Promise<Uint8Array | undefined>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  delete(path: string): Promise<void>;
  /** Names of the documents in a folder of them. */
  names(folder: string): Promise<readonly string[]>;
}

const DOCUMENT = /^[^.].*\.json$/;

export function rememberedFiles(): RememberedFiles {
  const known = new Map<string, Uint8Array | undefined>();
  /** By folder. */
  const listed = new Map<string, Set<string>>();
  return {
    async read(path) {
      if (known.has(path)) return known.get(path);
      const bytes = await readFileIfAny(path);
      // What was written meanwhile is newer.
      if (!known.has(path)) known.set(path, bytes);
      return known.get(path);
    },
    async write(path, bytes) {
      known.delete(path);
      await writeFileAtomic(path, bytes);
      known.set(path, bytes);
      listed.get(dirname(path))?.add(basename(path));
    },
    async delete(path) {
      await removeFile(path);
      known.set(path, undefined);
      listed.get(dirname(path))?.delete(basename(path));
    },
    async names(folder) {
      // At once: what is written meanwhile would be missed.
      if (!listed.has(folder))
        listed.set(folder, new Set(readdirSync(folder).filter((name) => DOCUMENT.test(name))));
      return [...listed.get(folder)!];
    },
  };
}
