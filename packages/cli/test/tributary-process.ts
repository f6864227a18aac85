import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const main = join(import.meta.dirname, "../src/main.ts");

/** The command line as a process: what it printed, or the rejection of execFile. */
export function tributary(...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const run = `import(${JSON.stringify(main)}).then(({ main }) => main(process.argv));`;
  const options = ["--conditions=@tributary/source", "-e", run, "tributary", ...args];
  return promisify(execFile)(process.execPath, options);
}
