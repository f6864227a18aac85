import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface CoordinatorProcess {
  readonly child: ChildProcess;
  /** Resolves with the JSON line it prints when it listens; rejects when it ends before. */
  readonly listening: Promise<{ readonly url: string; readonly port: number; readonly pid: number }>;
  /** Resolves when it has ended. */
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: string | null;
    readonly stderr: string;
  }>;
}

/** The coordinator as a process of its own, from its source. */
export function startProcess(...args: string[]): CoordinatorProcess {
  const child = spawn(process.execPath, ["--conditions=@tributary/source", MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (chunk: string) => (stderr += chunk));
  const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  });
  const listening = new Promise<{ url: string; port: number; pid: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as { event: string; url: string; port: number; pid: number };
      if (message.event === "listening") resolve(message);
    });
    void ended.then(({ code, stderr: text }) => reject(new Error(`ended with ${code}: ${text}`)));
  });
  // Tests that expect an early end do not look at it.
  listening.catch(() => {});
  return { child, listening, ended };
}
