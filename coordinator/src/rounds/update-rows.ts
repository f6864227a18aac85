import { open, type FileHandle } from "node:fs/promises";
import { readAt, type UpdateFile } from "./update-file.ts";

/** Files that stay open over a pass; of more each is opened for its piece. */
const MAX_OPEN_FILES = 256;

/** Several updates, read together piece by piece. */
export interface UpdateRows {
  /**
   * Reads values of one of them.
   *
   * @param into - as many bytes as are wanted
   * @throws `update/truncated`
   */
  readonly read: (row: number, begin: number, into: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** @param length - values of each: they end its file, which was checked to hold exactly as many as the plan says */
export async function openUpdateRows(files: readonly UpdateFile[], length: number): Promise<UpdateRows> {
  const handles: (FileHandle | undefined)[] = [];
  const close = async (): Promise<void> => {
    for (const handle of handles.splice(0)) await handle?.close();
  };
  try {
    if (files.length <= MAX_OPEN_FILES) for (const { path } of files) handles.push(await open(path, "r"));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async read(row, begin, into) {
      const { path, sizeBytes } = files[row]!;
      const handle = handles[row] ?? (await open(path, "r"));
      try {
        await readAt(handle, into, sizeBytes - 4 * (length - begin), into.length);
      } finally {
        if (handles[row] === undefined) await handle.close();
      }
    },
    close,
  };
}
