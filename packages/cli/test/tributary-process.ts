import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const main = join(import.meta.dirname, "../src/main.ts");

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a process: what it printed, or the rejection of execFile. */
export function tributary(...args: string[]): Promise<Printed> {
  return tributaryWithInput("", ...args);
}

/** Likewise, with what it reads from standard input. */
export async function tributaryWithInput(input: string, ...args: string[]): Promise<Printed> {
  const run = `import(${JSON.stringify(main)}).then(({ main }) => main(process.argv));`;
  const options = ["--conditions=@tributary/source", "-e", run, "tributary", ...args];
  const ended = promisify(execFile)(process.execPath, options);
  ended.child.stdin?.end(input);
  return ended;
}
