import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

export interface LoadedChunks {
  readonly files: readonly string[];
  /** Of all, each compressed by itself, as a server sends them. */
  readonly gzipBytes: number;
}

/** A built module with everything that it imports from the start; not what it imports later. */
export async function loadedWith(entry: string): Promise<LoadedChunks> {
  const files = new Map<string, number>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    const code = await readFile(file, "utf8");
    files.set(file, gzipSync(code, { level: 9 }).length);
    for (const [, path] of code.matchAll(
      /(?:^|[;}\n])(?:import|export)\s*(?:[\w*{][^"'()]*from\s*)?["'](\.[^"']+)["']/g,
    )) {
      waiting.push(join(dirname(file), path!));
    }
  }
  return {
    files: [...files.keys()].map((file) => basename(file)),
    gzipBytes: [...files.values()].reduce((sum, size) => sum + size, 0),
  };
}

/** Of these files, each once. */
export async function gzipOf(folder: string, names: readonly string[]): Promise<number> {
  const sizes = [...new Set(names)].map(
    async (name) => gzipSync(await readFile(join(folder, name)), { level: 9 }).length,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
