import { statfs } from "node:fs/promises";

/** Bytes of the file system with a folder: free for this process, and in all. */
export async function spaceOf(folder: string): Promise<{ readonly free: number; readonly total: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}
