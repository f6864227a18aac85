import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fencedBlocks } from "../../../test/src/markdown.ts";
import { typeCheck } from "../../../test/src/type-check.ts";

test("the README's files compile as they stand", async () => {
  // In here, so that TypeScript finds what the package may use.
  const scratch = mkdtempSync(join(import.meta.dirname, ".readme-"));
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
  const files = fencedBlocks(readFileSync(join(import.meta.dirname, "../README.md"), "utf8")).map(
    ({ text }) => ({
      name: /^\/\/ (\S+)/.exec(text)?.[1] ?? "",
      text,
    }),
  );
  expect(files.map(({ name }) => name)).toEqual(["digits.tsx", "consent.ts"]);
  for (const { name, text } of files) writeFileSync(join(scratch, name), text);
  const names = files.map(({ name }) => name);
  expect(await typeCheck(scratch, names, { jsx: "react-jsx" })).toBe("");
});
