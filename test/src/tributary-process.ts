import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** The command as `pnpm tributary` runs it. */
export const TRIBUTARY = join(
  dirname(createRequire(import.meta.url).resolve("@tributary/cli/package.json")),
  "bin/tributary.mjs",
);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `tributary` in a process group of its own, as a shell starts it; killed at the latest when the test is over. */
export interface TributaryProcess {
  readonly ended: Promise<Ended>;
  /** Lines of its standard output so far. */
  readonly lines: readonly string[];
  /** The first line that matches, now or later; rejects when the process ends without it. */
  line(pattern: RegExp): Promise<string>;
  /** To the whole group, as the terminal does it on Ctrl-C. */
  signal(signal: NodeJS.Signals): void;
  /** Whether any process of the group is still there. */
  groupAlive(): boolean;
}

export function startTributary(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): TributaryProcess {
  const child = spawn(process.execPath, [TRIBUTARY, ...args], {
    cwd: options.cwd,
    // As pnpm sets it for every script of the workspace.
    env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string) => void>();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look(line);
  });
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal, stdout: lines.join("\n"), stderr })),
  );
  const send = (signal: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-child.pid!, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
      throw error;
    }
  };
  // Also when the test timed out while it waited for a line.
  onTestFinished(async () => {
    send("SIGKILL");
    await ended;
  });
  return {
    ended,
    lines,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (line: string): void => {
          if (!pattern.test(line)) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        lines.forEach(look);
        void ended.then(({ code, stdout }) =>
          reject(new Error(`ended with ${code} and no line ${pattern}:\n${stdout}\n${stderr}`)),
        );
      }),
    signal: (signal) => void send(signal),
    groupAlive: () => send(0),
  };
}

/** Runs it to its end. */
export function runTributary(
  args: readonly string[],
  options?: Parameters<typeof startTributary>[1],
): Promise<Ended> {
  return startTributary(args, options).ended;
}
