import { readFileSync } from "node:fs";

/** Of this command line; a coordinator of the same release says the same. `package.json` lies above both `src` and `dist`. */
export const CLI_VERSION: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;
