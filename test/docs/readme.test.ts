import { spawn } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createStack, type Stack } from "@tributary/cli";
import { buildLinear } from "@tributary/onnx";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { buildTextModel } from "../../packages/runtime/test/fixtures/several-inputs.ts";
import { anchors, fencedBlocks, relativeLinks } from "../src/markdown.ts";
import { typeCheck } from "../src/type-check.ts";

// The README is executed, and the guides that it leads to: what they tell a newcomer to type is typed here.

const ROOT = join(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const GUIDES = ["coordinator/TASKS.md", "coordinator/RELEASES.md", "packages/agent/README.md"];
const TEXTS = [README, ...GUIDES.map((path) => readFileSync(join(ROOT, path), "utf8"))];
const BLOCKS = TEXTS.flatMap(fencedBlocks);
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

function blockOf(language: string, heading: string): string {
  const found = BLOCKS.filter((block) => block.language === language && block.heading === heading);
  expect(found, `one \`${language}\` block under "${heading}"`).toHaveLength(1);
  return found[0]!.text;
}

/** Replaces what must be there, so that an example that changed is noticed. */
function replaced(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replaceAll(from, to);
}

const folder = temporaryFolder();
/** Where the newcomer stands; the commands find the operator's token in `.tributary` there. */
const home = join(folder.path, "home");
let stack: Stack;
let api: ApiClient;

beforeAll(async () => {
  mkdirSync(home);
  stack = await createStack({
    host: "127.0.0.1",
    port: 0,
    demoPort: 0,
    dataDir: join(home, ".tributary"),
  });
  const { url, operatorToken } = stack.coordinator;
  api = createApiClient({ baseUrl: url, token: operatorToken });
});
afterAll(async () => {
  await stack?.close();
  folder.remove();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const child = spawn(command, args, {
    cwd,
    // What pnpm sets for every script of the workspace, and where this coordinator is.
    env: {
      ...process.env,
      NODE_OPTIONS: "--conditions=@tributary/source",
      TRIBUTARY_URL: stack.coordinator.url,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const PNPM = /^npx --yes pnpm@12 (\S+)(?: (.*))?$/;

/** Runs `npx --yes pnpm@12 SCRIPT ARGUMENTS` as pnpm does: the script of package.json, and the arguments after it. */
function runLine(line: string, cwd = home): Promise<Ended> {
  const [, script = "", rest = ""] = PNPM.exec(line) ?? [];
  expect(scripts, line).toHaveProperty([script]);
  const [command, ...words] = scripts[script]!.split(" ");
  const args = words.map((word) => (existsSync(join(ROOT, word)) ? join(ROOT, word) : word));
  return run(
    command === "node" ? process.execPath : command!,
    [...args, ...rest.split(" ").filter(Boolean)],
    cwd,
  );
}

test("its commands are scripts of this workspace, and their help is there", async () => {
  const lines = BLOCKS.filter(({ language }) => language === "sh").flatMap(({ text }) =>
    text.trim().split("\n"),
  );
  const inline = TEXTS.flatMap((text) => [...text.matchAll(/`(npx --yes pnpm@12 [^`]+)`/g)]).map(
    ([, line]) => line!,
  );
  for (const line of [...lines, ...inline]) expect(scripts).toHaveProperty([PNPM.exec(line)?.[1] ?? line]);
  for (const line of ["npx --yes pnpm@12 start", "npx --yes pnpm@12 test"]) {
    expect(lines).toContain(line);
    expect(await runLine(`${line} --help`)).toMatchObject({ code: 0, stderr: "" });
  }
  expect(inline).toContain("npx --yes pnpm@12 start --help");
  expect((await runLine("npx --yes pnpm@12 start --help")).stdout).toMatch(/--dataset <dir>/);
  expect(await runLine("npx --yes pnpm@12 bench")).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^ +loop +\S/m),
  });
});

test("every `tributary` command it names is one, with the options it names", async () => {
  const { stdout } = await runLine("npx --yes pnpm@12 tributary --help");
  const named = TEXTS.flatMap((text) => [...text.matchAll(/`tributary ([a-z][a-z-]*)[^`]*`/g)]).map(
    ([, command]) => command!,
  );
  expect(named).toContain("serve");
  for (const command of named) expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, "m"));
  expect((await runLine("npx --yes pnpm@12 tributary serve --help")).stdout).toContain("--allow-origin");
  expect(await runLine("npx --yes pnpm@12 tributary-agent run --help")).toMatchObject({
    code: 0,
    stderr: "",
  });
});

test("a model of one's own is described, published and given a task", async () => {
  const heading = "Publish a model of your own";
  writeFileSync(join(home, "model.onnx"), buildLinear({ seed: "readme" }));
  writeFileSync(join(home, "task.json"), blockOf("json", heading));
  const answers: Ended[] = [];
  for (const line of blockOf("sh", heading).trim().split("\n")) answers.push(await runLine(line));
  for (const answer of answers) expect(answer).toMatchObject({ code: 0, stderr: "" });
  expect(answers.map(({ stdout }) => stdout)).toEqual([
    expect.stringMatching(
      /^parameters +7,850 in 2 tensors$[^]*^trainable +yes, with softmax-cross-entropy$/m,
    ),
    expect.stringMatching(/^published mine version 1: 7850 parameters, /),
    expect.stringMatching(
      /^mine +running +synchronous +fedAvg +secure: off +0 rounds committed, version 1 of mine\n$/,
    ),
  ]);
  expect(await api.model("mine")).toMatchObject({ currentVersion: 1 });
  expect(await api.task("mine")).toMatchObject({
    state: "running",
    spec: JSON.parse(blockOf("json", heading)) as object,
  });
});

test("a task that says when, how long and with whom is a valid document", async () => {
  writeFileSync(join(home, "nights.json"), blockOf("json", "When, how long, and with whom"));
  expect(await runLine("npx --yes pnpm@12 tributary task validate nights.json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("nights.json: a valid task document"),
    stderr: "",
  });
});

test("a task with a gate is a valid document", async () => {
  writeFileSync(join(home, "careful.json"), blockOf("json", "Gates: only what is better is released"));
  expect(await runLine("npx --yes pnpm@12 tributary task validate careful.json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("careful.json: a valid task document"),
    stderr: "",
  });
});

test("a model of several inputs runs by their names, keeps examples and gets its task", async () => {
  const heading = "Several inputs and outputs";
  await api.publishModel("texts", buildTextModel());
  const program = `
import { createRuntime } from "@tributary/runtime/node";
const runtime = await createRuntime({
  coordinator: ${JSON.stringify(stack.coordinator.url)},
  trust: "first-use",
  dataDir: ${JSON.stringify(join(folder.path, "texts"))},
});
${blockOf("ts", heading)}
const [kept] = await texts.examples.list();
console.log(JSON.stringify({ outputs: Object.keys(outputs), topic: kept?.label.topic, count: await texts.examples.count() }));
await runtime.close();
`;
  // In here, so that Node finds the workspace's packages.
  const scratch = mkdtempSync(join(import.meta.dirname, ".readme-"));
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
  writeFileSync(join(scratch, "texts.mjs"), program);
  const { code, stdout, stderr } = await run(process.execPath, [join(scratch, "texts.mjs")], home);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ outputs: ["topic", "score"], topic: 2, count: 1 });

  const document = JSON.parse(blockOf("json", heading)) as Parameters<ApiClient["createTask"]>[0];
  const columns = {
    ids: tensor("int64", [1, 8], new BigInt64Array(8)),
    mask: tensor("float32", [1, 8], new Float32Array(8).fill(1)),
    "labels.topic": tensor("int64", [1], BigInt64Array.of(2n)),
    "labels.score": tensor("float32", [1, 1], Float32Array.of(0.5)),
  };
  const { digest } = await api.uploadBlob(writeSafetensors(Object.entries(columns)));
  const task = await api.createTask({ ...document, evaluation: { dataset: digest } });
  expect(task).toMatchObject({ state: "running", spec: document });
});

describe("the runtime in ten lines", () => {
  const example = blockOf("ts", "The runtime in ten lines");
  // In here, so that Node and TypeScript find the workspace's packages; they skip folders with a dot.
  const scratch = mkdtempSync(join(import.meta.dirname, ".readme-"));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test("has at most ten statements' worth of lines and compiles as it stands", async () => {
    expect(example.split("\n").filter((line) => /^[^\s/})]/.test(line)).length).toBeLessThanOrEqual(10);
    writeFileSync(join(scratch, "browser.ts"), example);
    expect(await typeCheck(scratch, ["browser.ts"])).toBe("");
  });

  test("runs in Node as its comments say: predicts, keeps an example and takes part in a round", async () => {
    await api.publishModel("digits", buildLinear({ seed: "ten lines" }));
    await api.createTask({
      name: "digits",
      model: "digits",
      rounds: 1,
      cohort: { goalCount: 1, minimumCount: 1 },
      secureAggregation: { mode: "off" },
    });
    const root = join(scratch, "root.json");
    writeFileSync(root, new Uint8Array(await (await fetch(`${stack.demoUrl}/root.json`)).arrayBuffer()));
    let program = example;
    program = replaced(program, "@tributary/runtime/browser", "@tributary/runtime/node");
    program = replaced(
      program,
      "createRuntime({\n",
      `createRuntime({ dataDir: ${JSON.stringify(join(folder.path, "device"))},\n`,
    );
    program = replaced(program, "http://127.0.0.1:7701/root.json", pathToFileURL(root).href);
    program = replaced(program, "http://127.0.0.1:7701", stack.demoUrl);
    program = replaced(program, "http://127.0.0.1:7700", stack.coordinator.url);
    program += `
console.log(JSON.stringify({ version: digits.version, probabilities: [...probabilities] }));
for await (const event of participation.events()) {
  if (event.type !== "outcome") continue;
  console.log(JSON.stringify(event));
  break;
}
await participation.stop();
await runtime.close();
`;
    writeFileSync(join(scratch, "node.ts"), program);
    const { code, stdout, stderr } = await run(process.execPath, [join(scratch, "node.ts")], home);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [prediction, outcome] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(prediction!["version"]).toBe(1);
    const probabilities = prediction!["probabilities"] as number[];
    expect(probabilities).toHaveLength(10);
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(outcome).toMatchObject({ result: "committed", version: 2 });
    expect((await api.rounds("digits")).rounds).toMatchObject([
      { phase: "committed", version: 2, cohort: 1, reported: 1, numExamples: 1 },
    ]);
  });
});

describe("what it says of the repository", () => {
  test.each([
    "README.md",
    ...globSync(
      ["coordinator/*.md", "coordinator/observability/*.md", "packages/*/*.md", "demo/examples/*.md"],
      {
        cwd: ROOT,
      },
    ),
  ])("links in %s lead somewhere", (document) => {
    const text = readFileSync(join(ROOT, document), "utf8");
    for (const link of relativeLinks(text)) {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(ROOT, document) : join(ROOT, dirname(document), path);
      expect(existsSync(target), link).toBe(true);
      if (anchor !== undefined) expect(anchors(readFileSync(target, "utf8"))).toContain(anchor);
    }
    // Each guide is found from the README.
    if (document !== "README.md")
      expect(relativeLinks(README).map((link) => link.split("#")[0])).toContain(document);
  });

  test("every package is in one row of the table, below all it depends on", () => {
    const rows = [...README.matchAll(/^\| (\d+) +\| ((?:`[\w-]+` *)+)\|/gm)];
    const rowOf = new Map(
      rows.flatMap(([, row, names]) => [...names!.matchAll(/[\w-]+/g)].map(([name]) => [name, Number(row)])),
    );
    const files = globSync(["packages/*/package.json", "coordinator/package.json", "demo/package.json"], {
      cwd: ROOT,
    });
    const manifests = files.map(
      (file) =>
        JSON.parse(readFileSync(join(ROOT, file), "utf8")) as {
          readonly name: string;
          readonly dependencies?: Readonly<Record<string, string>>;
        },
    );
    const short = (name: string): string => name.replace("@tributary/", "");
    expect([...rowOf.keys()].toSorted()).toEqual(manifests.map(({ name }) => short(name)).toSorted());
    for (const { name, dependencies = {} } of manifests) {
      for (const dependency of Object.keys(dependencies).filter((other) => other.startsWith("@tributary/"))) {
        expect(rowOf.get(short(dependency)), `${name} -> ${dependency}`).toBeLessThan(
          rowOf.get(short(name))!,
        );
      }
    }
  });
});
