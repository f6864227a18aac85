import { vi } from "vitest";
import { main } from "../src/main.ts";

export interface MainResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** The command line within this process, which spares the start of another: what it printed and its exit code. */
export async function runMain(...args: string[]): Promise<MainResult> {
  const written = { stdout: "", stderr: "" };
  const spies = [
    vi.spyOn(console, "log").mockImplementation((line: string) => void (written.stdout += `${line}\n`)),
    vi.spyOn(console, "error").mockImplementation((line: string) => void (written.stderr += `${line}\n`)),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written.stderr += String(text);
      return true;
    }),
  ];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await main(["node", "tributary", ...args]);
    return { ...written, code: Number(process.exitCode) };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
