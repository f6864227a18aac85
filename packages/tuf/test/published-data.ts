import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER =
  process.env["TRIBUTARY_DATA"] ??
  resolve(fileURLToPath(new URL("../../..", import.meta.url)), "../shared/data");

/** A folder of published vectors, or undefined, with the reason printed, where this machine has none. */
export function publishedData(name: string): ((path: string) => Uint8Array) | undefined {
  const folder = resolve(FOLDER, name);
  if (!existsSync(folder)) {
    console.warn(`skipped: ${folder} is absent; set TRIBUTARY_DATA to the folder of published test data`);
    return undefined;
  }
  return (path) => new Uint8Array(readFileSync(resolve(folder, path)));
}

/** Like a web server over such a folder: undefined where the file is missing. */
export function served(read: (path: string) => Uint8Array, folder: string) {
  return (fileName: string): Uint8Array | undefined => {
    try {
      return read(`${folder}/${fileName}`);
    } catch {
      return undefined;
    }
  };
}
