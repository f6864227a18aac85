import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

let dataDir: string;
let coordinator: Coordinator;
let url: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-search-"));
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  ({ url } = coordinator);
  const api = createApiClient({ baseUrl: url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.publishModel("digits", buildLinear({ seed: 2 }));
  await api.createTask({ name: "avg", model: "digits", local: { epochs: 3 } });
  await api.setTaskState("avg", { state: "paused" });
  await api.createTask({ name: "adam", model: "digits", strategy: { name: "fedAdam" } });
});

afterAll(async () => {
  await coordinator?.close();
  await rm(dataDir, { recursive: true, force: true });
});

test("search lists what a query asks for, page by page, and what one can ask by", async () => {
  const at = ["--url", url, "--data-dir", dataDir];
  const { stdout } = await runMain(
    "search",
    "model = digits",
    "--kind",
    "version",
    "--url",
    url,
    "--data-dir",
    dataDir,
  );
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^kind +name +state/);
  expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
    ["version", "digits@2", "published"],
    ["version", "digits@1", "published"],
  ]);
  const json = await runMain(
    "search",
    "strategy = fedAdam and state = running",
    "--json",
    "--url",
    url,
    "--data-dir",
    dataDir,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({ results: [{ kind: "task", task: "adam" }], next: null });
  const page = async (...more: string[]) => {
    const { stdout: text } = await runMain("search", "--kind=task", "--limit=1", "--json", ...more, ...at);
    return JSON.parse(text) as { readonly results: readonly object[]; readonly next: string | null };
  };
  const first = await page();
  expect(first.results).toMatchObject([{ task: "adam" }]);
  expect(await page(`--cursor=${first.next}`)).toMatchObject({ results: [{ task: "avg" }], next: null });
  expect((await runMain("search", "accuracy > 0.5", "--url", url, "--data-dir", dataDir)).stdout).toBe(
    "nothing was found\n",
  );
  const fields = await runMain("search", "--fields", "--url", url, "--data-dir", dataDir);
  expect(fields.stdout).toMatch(/^parameter\.NAME +number +version, round, task/m);
});

test("a query that cannot be read says where", async () => {
  const { stderr, code } = await runMain("search", "accurcy > 0.5", "--url", url, "--data-dir", dataDir);
  expect(code).toBe(2);
  expect(stderr).toContain("column 1");
  expect(stderr).toContain("expected accuracy");
  expect(stderr).toContain("search/invalid-query");
});

test("compare shows what differs, as a table, as CSV and as JSON", async () => {
  const { stdout } = await runMain("compare", "avg", "adam", "--url", url, "--data-dir", dataDir);
  expect(stdout).toMatch(/^local\.epochs +3 +1$/m);
  expect(stdout).toMatch(/^strategy\.name +"fedAvg" +"fedAdam"$/m);
  expect(stdout).not.toMatch(/^cohort\.goalCount/m);
  expect(stdout).toContain("nothing was measured of them on the same data");
  const all = await runMain("compare", "avg", "adam", "--all", "--url", url, "--data-dir", dataDir);
  expect(all.stdout).toMatch(/^cohort\.goalCount +24 +24$/m);
  const csv = await runMain("compare", "avg", "adam", "--csv", "--url", url, "--data-dir", dataDir);
  expect(csv.stdout.split("\r\n")[0]).toBe("name,avg,adam");
  expect(csv.stdout).toContain("local.epochs,3,1\r\n");
  const json = await runMain(
    "compare",
    "digits@1",
    "digits@newest",
    "--json",
    "--url",
    url,
    "--data-dir",
    dataDir,
  );
  expect(JSON.parse(json.stdout).subjects).toMatchObject([{ version: 1 }, { version: 2 }]);
  const one = await runMain("compare", "avg", "--url", url, "--data-dir", dataDir);
  expect(one.code).toBe(2);
});
