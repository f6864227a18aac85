import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/**
 * What TypeScript says of these files of a folder inside the workspace, as they stand; "" where nothing is wrong. The
 * packages are references: their types are read from what the type check built, not made again from their sources.
 */
export function typeCheck(
  folder: string,
  files: readonly string[],
  compilerOptions: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { references } = JSON.parse(readFileSync(join(ROOT, "test/tsconfig.json"), "utf8")) as {
    readonly references: readonly { readonly path: string }[];
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(ROOT, "tsconfig.base.json"),
      compilerOptions: {
        noEmit: true,
        composite: false,
        incremental: false,
        // An application is nobody's library.
        declaration: false,
        declarationMap: false,
        // Whether a reader's variable is used is the reader's business.
        noUnusedLocals: false,
        types: ["node"],
        ...compilerOptions,
      },
      files,
      references: references.map(({ path }) => ({ path: join(ROOT, "test", path) })),
    }),
  );
  return new Promise((resolve) => {
    execFile("tsc", ["-b", folder], { cwd: ROOT }, (error, stdout, stderr) => {
      resolve(stdout + stderr || (error === null ? "" : error.message));
    });
  });
}
