import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
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
  const ended = promisify(execFile)(process.execPath, nodeArguments(args));
  ended.child.stdin?.end(input);
  return ended;
}

function nodeArguments(args: readonly string[]): string[] {
  const run = `import(${JSON.stringify(main)}).then(({ main }) => main(process.argv));`;
  return ["--conditions=@tributary/source", "-e", run, "tributary", ...args];
}

/** Whether util-linux is here, whose `script` gives a command a terminal. */
export function hasTerminal(): boolean {
  return process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;
}

/** Likewise on a terminal, where somebody types a line at each prompt. @returns all that the terminal shows */
export function tributaryOnTerminal(typed: Typed, ...args: string[]): Promise<string> {
  return onTerminal(typed, process.execPath, ...nodeArguments(args));
}

/** Each prompt, and what is typed once it is shown. */
export type Typed = readonly (readonly [prompt: string, line: string])[];

export async function onTerminal(typed: Typed, ...command: string[]): Promise<string> {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child = spawn("script", ["-qec", quoted, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 60_000,
  });
  const lines = [...typed];
  let shown = "";
  let from = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    const [prompt, line] = lines[0] ?? [];
    const at = prompt === undefined ? -1 : shown.indexOf(prompt, from);
    if (at < 0) return;
    from = at + prompt!.length;
    lines.shift();
    child.stdin.write(`${line}\r`);
  });
  await once(child, "close");
  return shown;
}
