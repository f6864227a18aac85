import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fork } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = join(
  dirname(createRequire(import.meta.url).resolve("@tributary/coordinator/package.json")),
  "src/main.ts",
);
const REPORT = fileURLToPath(new URL("./report-cpu.mjs", import.meta.url));

export interface MeasuredCoordinator {
  readonly url: string;
  readonly dataDir: string;
  readonly operatorToken: string;
  /** Processor time that its process has taken so far, in milliseconds, of all its threads. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

/** The real coordinator in a process of its own, which says how much processor time it took. */
export async function startMeasured(dataDir: string): Promise<MeasuredCoordinator> {
  const child = fork(MAIN, ["--port", "0", "--data-dir", dataDir], {
    execArgv: ["--max-semi-space-size=4", "--conditions=@tributary/source", "--import", REPORT],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout!).on("line", (line) => {
      if (line.includes('"listening"')) resolve((JSON.parse(line) as { url: string }).url);
    });
    child.once("exit", (code) => reject(new Error(`the coordinator ended with ${code}`)));
  });
  return {
    url,
    dataDir,
    operatorToken: readFileSync(join(dataDir, "operator-token"), "utf8").trim(),
    async cpuMs() {
      child.send("cpu");
      const [{ user, system }] = (await once(child, "message")) as [NodeJS.CpuUsage];
      return (user + system) / 1_000;
    },
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
