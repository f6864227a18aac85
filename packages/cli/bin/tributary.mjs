#!/usr/bin/env node
// Plain JavaScript, so that a machine with an old Node or a broken install gets a sentence instead of a stack.
import { existsSync } from "node:fs";
import module from "node:module";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `tributary needs Node 24 and runs on ${process.version}. In a clone of the repository the install did not finish: ` +
      "run `npx --yes pnpm@12 install` and read its first error.",
  );
  process.exit(1);
}
module.enableCompileCache();
const source = new URL("../src/main.ts", import.meta.url);
const { main } = await import(
  existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href
);
await main(process.argv);
