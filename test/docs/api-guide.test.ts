import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { silentLogger } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";
import { typeCheck } from "../src/type-check.ts";

// The guide to the HTTP API is executed: its commands one after the other in one shell, as somebody would who reads it.

const GUIDE = readFileSync(join(import.meta.dirname, "../../coordinator/API.md"), "utf8");
const blocks = fencedBlocks(GUIDE);
const WRITTEN_URL = "http://127.0.0.1:7700";

const folder = temporaryFolder();
// In here, so that Node and TypeScript find the workspace's packages.
const scratch = mkdtempSync(join(import.meta.dirname, ".api-"));
let coordinator: Coordinator;
let api: ApiClient;
beforeAll(async () => {
  coordinator = await createCoordinator({
    // Where the guide reads the token.
    dataDir: join(folder.path, "data"),
    port: 0,
    logLevel: "silent",
    env: { log: silentLogger },
  });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
});
afterAll(async () => {
  await coordinator?.close();
  rmSync(scratch, { recursive: true, force: true });
  folder.remove();
});

function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) =>
    child
      .once("error", reject)
      .once("close", (code) =>
        code === 0 ? resolve(stdout) : reject(new Error(`${command}: ${code}\n${stdout}${stderr}`)),
      ),
  );
}

/** Replaces what must be there, so that an example that changed is noticed. */
function replaced(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replaceAll(from, to);
}

const hasShell = spawnSync("bash", ["-c", "curl --version"]).status === 0;
if (!hasShell) console.warn("skipped: the guide's commands are for bash and curl, of which one is not here");

test.skipIf(!hasShell)("its commands do what it says, one after the other", async () => {
  const BETWEEN = "--- next ---";
  const sections = blocks.filter(({ language }) => language === "sh");
  expect(sections.map(({ heading }) => heading)).toEqual([
    "The HTTP API",
    "Lists",
    "Read it once, change what was read",
    "Send it again without doing it again",
    "Follow what changes",
  ]);
  let script = sections.map(({ text }) => text).join(`echo; echo "${BETWEEN}"\n`);
  script = replaced(script, WRITTEN_URL, coordinator.url);
  // It does not end by itself: `curl` says so with 28.
  script = replaced(script, "curl -sN ", "curl -sN --max-time 3 ");
  const printed = await run("bash", ["-c", `set -e\n${script.trimEnd()} || [ $? = 28 ]`], folder.path);
  const [models, records, notes, task, events] = printed.split(`${BETWEEN}\n`);
  expect(JSON.parse(models!)).toMatchObject({ models: [{ name: "digits" }] });
  // Those that there were then, newest first.
  const lines = records!.trim().split("\n");
  const logged = await api.auditRecords({ start: 0, limit: lines.length });
  expect(lines.toReversed()).toEqual(logged.map(({ index, action }) => `${index} ${action}`));
  expect(JSON.parse(notes!)).toMatchObject({ notes: { intendedUse: "Digits of one hand" } });
  expect((await api.cardNotes("digits")).notes?.intendedUse).toBe("Digits of one hand");
  // Twice the same answer, once the task.
  const [first, second] = task!.trim().split(/(?<=\})(?=\{"name":"digits-training")/);
  expect(JSON.parse(first!)).toMatchObject({ name: "digits-training", state: "running" });
  expect(second).toBe(first);
  expect((await api.tasks()).map(({ name }) => name)).toEqual(["digits-training"]);
  expect(events).toMatch(/^event: task$/m);
  expect(events).toContain('"digits-training"');
});

test("its programs compile as they stand, and print the models and a model's versions", async () => {
  const token = `const token = ${JSON.stringify(coordinator.operatorToken)};\n`;
  const programs = blocks.filter(({ language }) => language === "ts");
  const files = programs.map((_, i) => `program-${i}.ts`);
  for (const [i, { text }] of programs.entries())
    writeFileSync(join(scratch, files[i]!), `${token}${replaced(text, WRITTEN_URL, coordinator.url)}`);
  expect(await typeCheck(scratch, files)).toBe("");
  const printed = [];
  for (const file of files) printed.push(await run(process.execPath, [join(scratch, file)], folder.path));
  expect(printed).toEqual(["digits 1\n", "1 null\n"]);
});

test("the error that it shows is the one that is answered", async () => {
  const [example] = blocks.filter(({ language }) => language === "json");
  const shown = JSON.parse(example!.text) as Readonly<Record<string, unknown>>;
  const response = await fetch(`${coordinator.url}/v1/tasks/digits-training/state`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${coordinator.operatorToken}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ state: "paused", comment: "for the night" }),
  });
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  const answered = (await response.json()) as Readonly<Record<string, unknown>>;
  expect({ ...answered, instance: shown["instance"] }).toEqual(shown);
  expect(answered["instance"]).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
});
