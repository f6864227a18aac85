import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root =
  process.env["TRIBUTARY_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));

/** A folder of the evaluation data, or undefined with a printed reason: `describe.skipIf(!folder)`. */
export function dataFolder(name: string): string | undefined {
  const folder = join(root, name);
  if (existsSync(folder)) return folder;
  console.warn(`skipped: ${folder} is not there; set TRIBUTARY_DATA to the folder with ${name}`);
  return undefined;
}

/** Sub-folders of a folder of the evaluation data; none where it is absent. */
export function dataCases(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}
