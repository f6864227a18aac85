import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain } from "./run-main.ts";

const BAD = "Bad Name";
let folder: string;
let coordinator: Coordinator;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-misuse-"));
  coordinator = await createCoordinator({ dataDir: join(folder, "data"), port: 0, logLevel: "silent" });
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await writeFile(join(folder, "model.onnx"), buildLinear({ seed: 1 }));
  await writeFile(join(folder, "task.json"), JSON.stringify({ name: "digits", model: "digits" }));
  await writeFile(join(folder, "broken.json"), "{");
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true });
});

const inFolder = (word: string): string => (/\.(?:onnx|json)$/.test(word) ? join(folder, word) : word);
const run = (...words: readonly string[]) =>
  runMain(...words.map(inFolder), "--url", coordinator.url, "--data-dir", join(folder, "data"));

test.each([
  ["publish", "model.onnx", "--name", BAD],
  ["publish", "model.onnx", "--name", "x", "--runtime", "new"],
  ["publish", "model.onnx", "--name", "x", "--variants", "int8-static"],
  ["model", "show", BAD],
  ["model", "release", "digits", "1", "--channel", BAD],
  ["model", "alias", "digits", BAD, "1"],
  ["model", "withdraw", "digits", "1", "--reason", "", "--yes"],
  ["versions", "digits", "--limit", "0"],
  ["versions", "digits", "--colour"],
  ["rounds", BAD],
  ["search", "accuracy >"],
  ["search", "nonsense = 1"],
  ["search", "--cursor", "nonsense"],
  ["compare", "digits@x@y"],
  ["rollout", "start", "digits", "--arm", "x"],
  ["rollout", "start", "digits", "--arm", "2", "--gate", "nonsense"],
  ["rollout", "start", "digits", "--arm", "2", "--gate", "crashes:x"],
  ["rollout", "list", "digits", "--cursor", "nonsense"],
  ["devices", "list", "--population", BAD],
  ["devices", "list", "--search", "xyz"],
  ["devices", "show", "xyz"],
  ["alerts", "list", "--rule", BAD],
  ["alerts", "silence", "--rule", "x", "--comment", ""],
  ["notify", "log", BAD],
  ["policy", "show", BAD],
  ["audit", "list", "--round", BAD],
  ["keys", "rotate", BAD],
])("%s %s %s %s %s is misuse, in one line", async (...words) => {
  const { code, stdout, stderr } = await run(...words.filter((word) => word !== undefined));
  expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({
    code: EXIT_CODES.misuse,
    stdout: "",
    lines: 2,
  });
});

test.each([
  ["keys", "make", BAD, "--out", "key.json"],
  ["simulate", "task.json", "--partition", "nonsense"],
  ["bundle", "model.onnx", "--name", BAD, "--out", "bundle"],
  ["serve", "--data-dir", "never", "--port", "0", "--allow-origin", "nowhere"],
  ["serve", "--data-dir", "never", "--port", "0", "--tls-cert", "cert.pem"],
  ["serve", "--data-dir", "never", "--port", "0", "--public-url", "nowhere"],
])("so is %s %s %s %s %s %s %s, which asks no coordinator", async (...words) => {
  const given = words.filter((word) => word !== undefined).map(inFolder);
  expect((await runMain(...given)).code).toBe(EXIT_CODES.misuse);
});

test("files that do not hold what they should are no misuse", async () => {
  for (const words of [
    ["rollout", "start", "digits", "--document", "broken.json"],
    ["task", "create", "broken.json"],
    ["alerts", "rules", "set", "broken.json"],
  ]) {
    const { code, stderr } = await run(...words);
    expect([code, stderr]).toEqual([EXIT_CODES.failed, expect.stringMatching(/JSON/)]);
  }
});
