import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { builtInStrategies } from "@tributary/aggregation";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";
import { typeCheck } from "../src/type-check.ts";

// The guide to strategies is executed: its files compile, and its strategy is registered and chosen as it says.

const ROOT = join(import.meta.dirname, "../..");
const GUIDE = readFileSync(join(ROOT, "packages/aggregation/README.md"), "utf8");
const run = promisify(execFile);

// In here, so that Node and TypeScript find the workspace's packages.
const scratch = mkdtempSync(join(import.meta.dirname, ".strategy-"));
const folder = temporaryFolder();
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
  folder.remove();
});

const files = fencedBlocks(GUIDE)
  .filter(({ language, heading }) => language === "ts" && heading === "Write your own strategy")
  .map(({ text }) => ({ name: /^\/\/ (\S+)/.exec(text)?.[1] ?? "", text }));

test("its files compile as they stand", async () => {
  expect(files.map(({ name }) => name)).toEqual(["sign-descent.ts", "server.ts"]);
  for (const { name, text } of files) writeFileSync(join(scratch, name), text);
  expect(
    await typeCheck(
      scratch,
      files.map(({ name }) => name),
    ),
  ).toBe("");
});

test("its strategy is chosen by a task, with the default it says and the limits it sets", async () => {
  const [strategy, server] = files;
  const configured = server!.text.replace(
    '".tributary"',
    `${JSON.stringify(folder.path)}, port: 0, logLevel: "silent"`,
  ).concat(`
import { createApiClient } from "@tributary/api-client";
import { buildLinear } from "@tributary/onnx";
const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
await api.publishModel("digits", buildLinear({ seed: "guide" }));
const spec = { name: "digits", model: "digits", strategy: { name: "signDescent" } };
const refused = await api
  .createTask({ ...spec, strategy: { name: "signDescent", parameters: { stepSize: 2 } } })
  .catch((error) => error.detail);
const task = await api.createTask(spec);
console.log(JSON.stringify({ refused, strategy: task.spec.strategy }));
await coordinator.close();
`);
  expect(configured).toContain("port: 0");
  writeFileSync(join(scratch, strategy!.name), strategy!.text);
  writeFileSync(join(scratch, "main.ts"), configured);
  const { stdout, stderr } = await run(process.execPath, [join(scratch, "main.ts")], {
    cwd: scratch,
    env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" },
  });
  expect(stderr).toBe("");
  const [listening, answer] = stdout.trim().split("\n");
  expect(listening).toMatch(/^listening on http:/);
  expect(JSON.parse(answer!)).toEqual({
    refused: {
      document: "task",
      path: "/strategy/parameters/stepSize",
      problem: "must be a number above 0 and at most 1, got 2",
    },
    strategy: { name: "signDescent", parameters: { stepSize: 0.001 } },
  });
});

test("its table has every strategy, with the parameters and defaults that it has", () => {
  const rows = GUIDE.split("\n").filter((line) => line.startsWith("| `"));
  for (const { name, parameters, needsSingleUpdates, comparesGroups } of builtInStrategies) {
    const row = rows.find((line) => line.split("|")[1]!.includes(`\`${name}\``))!;
    for (const [key, { default: value }] of Object.entries(parameters)) {
      expect(row, name).toContain(`\`${key}\` ${value === 1e-6 ? "1e-6" : value}`);
    }
    const underMasks =
      needsSingleUpdates === undefined ? "yes" : comparesGroups === undefined ? "no" : "over cohorts";
    expect(row.split("|").at(-2)!.trim(), name).toBe(underMasks);
  }
});
