import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";

/** Small files of a folder that nobody else writes while it is locked: what they say is read once. */
export interface RememberedFiles {
  read(path: string): Promise<Uint8Array | undefined>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  delete(path: string): Promise<void>;
}

export function rememberedFiles(): RememberedFiles {
  const known = new Map<string, Uint8Array | undefined>();
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
    },
    async delete(path) {
      await removeFile(path);
      known.set(path, undefined);
    },
  };
}
