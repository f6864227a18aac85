import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** Why Node cannot run a source as it stands; undefined where it can. */
function faultOf(source: string): string | undefined {
  try {
    stripTypeScriptTypes(source);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Commands, benchmarks and worker threads run from their sources: Node's parser of types takes less than TypeScript's own does. */
test("Node's type stripping reads every source", () => {
  const files = globSync(
    ["packages/*", "coordinator", "coordinator/dashboard", "demo", "test"].map(
      (folder) => `${folder}/{src,test,bench,e2e,docs,chaos,conformance,interop,load,shape}/**/*.ts`,
    ),
    { cwd: ROOT, exclude: (path) => path.includes("node_modules") },
  );
  expect(files.length).toBeGreaterThan(1_000);
  const unread = files.flatMap((file) => {
    const fault = faultOf(readFileSync(join(ROOT, file), "utf8"));
    return fault === undefined ? [] : [`${file}: ${fault}`];
  });
  expect(unread).toEqual([]);
  expect(faultOf("for (const of of [1]) use(of);")).toMatch(/empty/);
});
