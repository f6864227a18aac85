import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const MAIN = join(
  dirname(createRequire(import.meta.url).resolve("@tributary/coordinator/package.json")),
  "src/main.ts",
);
/** As the first line of the program says: a young generation that grows with the load would take a third more memory. */
const NODE_FLAGS = ["--max-semi-space-size=4"];

/** A folder that goes away with the test. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "tributary-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface CoordinatorProcess {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly operatorToken: string;
  /** Everything it printed, for a failing test's message. */
  output(): string;
  /** SIGKILL: no clean-up of any kind runs. */
  kill(): Promise<void>;
  /** SIGTERM, as an operator stops it. */
  stop(): Promise<number | null>;
}

/** Starts the real coordinator as a process of its own and waits until it listens. */
export async function startCoordinator(options: {
  readonly dataDir: string;
  readonly port?: number;
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}): Promise<CoordinatorProcess> {
  const args = ["--port", String(options.port ?? 0), "--data-dir", options.dataDir, ...(options.args ?? [])];
  const child = spawn(process.execPath, [...NODE_FLAGS, ...(options.nodeArgs ?? []), MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  const lines: string[] = [];
  const listening = new Promise<{ url: string }>((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => lines.push(line));
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      if (!line.includes('"listening"')) return;
      resolve(JSON.parse(line) as { url: string });
    });
    child.once("exit", (code) =>
      reject(new Error(`the coordinator ended with ${code}:\n${lines.join("\n")}`)),
    );
  });
  const { url } = await listening;
  return {
    url,
    pid: child.pid!,
    dataDir: options.dataDir,
    operatorToken: readFileSync(join(options.dataDir, "operator-token"), "utf8").trim(),
    output: () => lines.join("\n"),
    kill: async () => void (await end(child, "SIGKILL")),
    stop: () => end(child, "SIGTERM"),
  };
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code));
    child.kill(signal);
  });
}
