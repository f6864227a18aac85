import { existsSync } from "node:fs";
import { join } from "node:path";

/** The reference data, where it is present: `TRIBUTARY_DATA`, by default a folder beside the clone. */
export function dataFolder(path: string): { readonly path: string; readonly missing: string | undefined } {
  const root = process.env.TRIBUTARY_DATA ?? join(import.meta.dirname, "../../../shared/data");
  const full = join(root, path);
  return { path: full, missing: existsSync(full) ? undefined : `${full} is not there; set TRIBUTARY_DATA` };
}
