import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = process.env["TRIBUTARY_DATA"] ?? join(import.meta.dirname, "../../../../../shared/data");

/** A file of published vectors, parsed; undefined, with the reason said, where the data is absent. */
export function publishedVectors<T>(file: string): T | undefined {
  const path = join(ROOT, file);
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as T;
  console.warn(`skipped: ${path} is absent; set TRIBUTARY_DATA to the folder of published test data`);
  return undefined;
}
