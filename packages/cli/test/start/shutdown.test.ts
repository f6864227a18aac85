import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const SHUTDOWN = new URL("../../src/start/shutdown.ts", import.meta.url).href;

/** Runs until it is told to stop, with these closers; the first line it prints is "ready". */
async function program(
  closers: string,
): Promise<{ stop(signal: NodeJS.Signals): Promise<readonly unknown[]> }> {
  const source = `
    import { createShutdown } from ${JSON.stringify(SHUTDOWN)};
    const shutdown = createShutdown(() => console.log("stopping"));
    ${closers}
    setInterval(() => {}, 1000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ready = once(child.stdout, "data");
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  await ready;
  return {
    async stop(signal) {
      const closed = once(child, "close");
      child.kill(signal);
      const [code] = (await closed) as [number | null];
      return [code, stdout.split("\n").slice(1, -1), stderr];
    },
  };
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s closes what was opened last first, also after a failure",
  async (signal) => {
    const running = await program(`
    shutdown.onClose(() => console.log("first"));
    shutdown.onClose(() => { throw new Error("a broken closer"); });
    shutdown.onClose(async () => { await undefined; console.log("last"); });`);
    expect(await running.stop(signal)).toEqual([
      0,
      ["stopping", "last", "first"],
      "while stopping: a broken closer\n",
    ]);
  },
);

test("what does not end is ended within two seconds", async () => {
  const running = await program(`shutdown.onClose(() => new Promise(() => {}));`);
  const asked = performance.now();
  expect(await running.stop("SIGTERM")).toEqual([143, ["stopping"], ""]);
  expect(performance.now() - asked).toBeLessThan(2_000);
});
