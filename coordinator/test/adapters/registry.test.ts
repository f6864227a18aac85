import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SOURCES = join(import.meta.dirname, "../../src/adapters");
const TESTS = import.meta.dirname;

/** Each port, by what its adapters' opening functions return, and its suite. */
const PORTS = [
  { returns: /\)\s*:\s*(?:Promise<)?MetadataStore\b/, suite: "describeMetadataStore" },
  { returns: /\)\s*:\s*(?:Promise<)?BlobStore\b/, suite: "describeBlobStore" },
  { returns: /\)\s*:\s*(?:Promise<)?Bus\b/, suite: "describeBus" },
];

/** Exported functions that open an adapter, with the suite it has to pass. */
const adapters = globSync("**/*.ts", { cwd: SOURCES }).flatMap((file) => {
  const text = readFileSync(join(SOURCES, file), "utf8");
  return [...text.matchAll(/^export (?:async )?function (\w+)([^{]*\{)/gm)].flatMap((match) => {
    const signature = text.slice(match.index, text.indexOf("\n}\n", match.index));
    // Up to the body: parameters may be written over several lines.
    const head = /^[^]*?\)\s*:[^\n]*\{\s*\n/.exec(signature)?.[0] ?? "";
    return PORTS.filter(({ returns }) => returns.test(head)).map(({ suite }) => ({
      name: match[1]!,
      suite,
    }));
  });
});

const tests = globSync("*.test.ts", { cwd: TESTS }).map((file) => readFileSync(join(TESTS, file), "utf8"));

test("the adapters are found", () => {
  expect(new Set(adapters.map((adapter) => adapter.suite))).toEqual(new Set(PORTS.map((port) => port.suite)));
});

test.each(adapters)("$name runs $suite", ({ name, suite }) => {
  const ran = tests.some((text) => text.includes(`${suite}(`) && text.includes(`${name}(`));
  expect(ran).toBe(true);
});
