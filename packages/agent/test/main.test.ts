import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../../runtime/test/fixtures/site.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let folder: string;
let site: Site;
const children: ChildProcessWithoutNullStreams[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-agent-"));
  site = await startSite();
  await site.repository.release(1);
  await site.repository.releasePlan();
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  await site.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function agent(args: readonly string[]): { child: ChildProcessWithoutNullStreams; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ["--conditions=@tributary/source", MAIN, ...args], { cwd: folder });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

test("runs one device until SIGTERM: enrols, gets the model, checks in with the examples of a file", async () => {
  await writeFile(join(folder, "root.json"), site.repository.root);
  await writeFile(join(folder, "token"), "good-token\n");
  const images = tensor("uint8", [6, 1, 28, 28], new Uint8Array(6 * 784).fill(9));
  const labels = tensor("int32", [6], Int32Array.of(0, 1, 2, 3, 4, 5));
  await writeFile(join(folder, "examples.safetensors"), writeSafetensors(Object.entries({ images, labels })));
  const { child, ended } = agent([
    "run",
    "--coordinator",
    site.url,
    "--root",
    "root.json",
    "--token-file",
    "token",
    "--max-storage",
    "64",
    "--log",
    "json",
    "--data-dir",
    "device",
    "--examples",
    "examples.safetensors",
  ]);
  const session = await site.session();
  expect(await session.next("check-in")).toMatchObject({ task: "digits-task", examples: 6 });
  const stopping = performance.now();
  child.kill("SIGTERM");
  const { code, stdout, stderr } = await ended;
  expect(performance.now() - stopping).toBeLessThan(2000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const forgotten = await agent([
    "forget",
    "--coordinator",
    site.url,
    "--root",
    "root.json",
    "--data-dir",
    "device",
  ]).ended;
  expect(forgotten.stderr).toBe("");
  expect(forgotten.stdout).toMatch(
    /^erased 6 examples of digits, \d+ bytes\nerased the key of device [0-9a-f]{32}\n/,
  );
  expect(forgotten.stdout).toContain("the coordinator erased its record of the device");
  expect(site.erased).toEqual([session.deviceId]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string });
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(["enrolled", "connection", "running"]),
  );
  expect(stdout).not.toContain("good-token");
});

const wrong: readonly [string, readonly string[], number, RegExp][] = [
  ["no command", [], 2, /Usage/],
  ["an unknown option", ["run", "--coordinator", "http://x", "--nope"], 2, /unknown option '--nope'/],
  ["no coordinator", ["run"], 2, /--coordinator/],
  ["no root", ["run", "--coordinator", "http://x", "--token", "t"], 2, /--root FILE is needed/],
  ["no token", ["run", "--coordinator", "http://x", "--root", "r"], 2, /--token/],
  [
    "a coordinator that is no URL",
    ["run", "--coordinator", "foo", "--trust-on-first-use", "--token", "t"],
    2,
    /--coordinator.*expected an http or https URL/,
  ],
  [
    "a name that is none",
    ["run", "--coordinator", "http://x", "--trust-on-first-use", "--token", "t", "--task", "Bad!"],
    2,
    /--task.*expected 1 to 63/,
  ],
  [
    "a token file that is not there",
    ["run", "--coordinator", "http://x", "--trust-on-first-use", "--token-file", "nothing"],
    2,
    /--token-file: .*nothing/,
  ],
  [
    "a root that is none",
    ["run", "--coordinator", "http://x", "--root", MAIN, "--token", "t"],
    1,
    /the trust root .*main\.ts is none: .*\[runtime\/no-trust\]/,
  ],
  [
    "a root that is not there",
    ["run", "--coordinator", "http://x", "--root", "r", "--token", "t"],
    1,
    /runtime\/no-trust/,
  ],
];
test.each(wrong)("%s: exit code and one clear message", async (_, args, expected, message) => {
  const { code, stdout, stderr } = await agent(args).ended;
  expect(code).toBe(expected);
  expect(stderr + stdout).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("--help lists the options", async () => {
  const { code, stdout } = await agent(["run", "--help"]).ended;
  expect(code).toBe(0);
  for (const option of ["--coordinator", "--root", "--token-file", "--data-dir", "--task", "--examples"]) {
    expect(stdout).toContain(option);
  }
});

test("examples that cannot be read end the agent with a coded line", async () => {
  await writeFile(join(folder, "root.json"), site.repository.root);
  const { ended } = agent([
    "run",
    "--coordinator",
    site.url,
    "--root",
    "root.json",
    "--token",
    "good-token",
    "--examples",
    "nothing",
  ]);
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/nothing does not exist \[dataset\/not-found\]/);
});

test("what is waited for is told, and the agent ends when nobody reads its output", async () => {
  const { child, ended } = agent([
    "run",
    "--coordinator",
    site.url,
    "--trust-on-first-use",
    "--token",
    "good-token",
    "--model",
    "no-such-model",
    "--log",
    "json",
  ]);
  let seen = "";
  for await (const chunk of child.stdout) {
    seen += String(chunk);
    if (seen.includes("runtime/unknown-model")) break; // destroys the stream: nobody reads any more
  }
  expect(seen).toMatch(/no-such-model/);
  await site.close(); // something to write: the connection is lost
  const { code, stderr } = await ended;
  expect(stderr).toMatch(/warning: the root that the coordinator shows first is believed unseen/);
  expect(stderr).not.toMatch(/EPIPE/);
  expect(code).toBe(0);
  site = await startSite();
});
