import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { inject, vi } from "vitest";
import type {} from "./shared-folder.ts";

const SOURCE = join(import.meta.dirname, "../../coordinator/dashboard");

/** The folder of the dashboard as it is served: built once a run, by the first file that wants it; the others wait for that. */
export async function builtDashboard(): Promise<string> {
  const folder = join(inject("sharedFolder"), "dashboard");
  const done = `${folder}.done`;
  const failed = `${folder}.failed`;
  try {
    mkdirSync(`${folder}.lock`);
  } catch {
    await vi.waitUntil(() => existsSync(done) || existsSync(failed), { timeout: 110_000, interval: 100 });
    if (existsSync(failed)) throw new Error("the dashboard was not built: another file's test says why");
    return folder;
  }
  const vite = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin/vite.js");
  try {
    await promisify(execFile)(
      process.execPath,
      [vite, "build", "--outDir", folder, "--emptyOutDir", "--logLevel", "error"],
      { cwd: SOURCE },
    );
  } catch (error) {
    writeFileSync(failed, "");
    throw error;
  }
  writeFileSync(done, "");
  return folder;
}
