#!/usr/bin/env node
// Plain JavaScript, so that a machine with an old Node or a broken install gets a sentence instead of a stack.
import { existsSync } from "node:fs";
import module from "node:module";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `tributary needs Node 24 or newer, and this is Node ${process.versions.node}: install Node 24 (https://nodejs.org), or in a ` +
      "clone of the repository run `npx --yes pnpm@12 tributary`, which brings its own. Where that says this as well, its install " +
      "failed: run `npx --yes pnpm@12 install` and read its first error.",
  );
  process.exit(1);
}
module.enableCompileCache();
const source = new URL("../src/main.ts", import.meta.url);
const { main } = await import(
  existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href
);
await main(process.argv);
