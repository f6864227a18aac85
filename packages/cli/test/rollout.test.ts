import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain, type MainResult } from "./run-main.ts";

let dataDir: string;
let coordinator: Coordinator;
let api: ApiClient;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-rollout-"));
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const seed of [1, 2]) await api.publishModel("digits", buildLinear({ seed }), { release: seed === 1 });
});
afterAll(async () => {
  await coordinator.close();
  await rm(dataDir, { recursive: true });
});

const rollout = (...args: string[]): Promise<MainResult> =>
  runMain("rollout", ...args, "--url", coordinator.url, "--data-dir", dataDir);

test("what is done to a rollout that has ended says that it has, and how, and asks nothing", async () => {
  await api.startRollout("digits", { arms: [{ name: "new", version: 2 }], gates: [] });
  const asked = await rollout("abort", "digits");
  expect(asked.code).toBe(EXIT_CODES.misuse);
  expect(asked.stderr).toContain("go back to version 1; version 2 may be tried again. Say so with --yes");
  expect((await rollout("abort", "digits", "--reason", "a trial", "--yes")).stdout).toContain("aborted");
  for (const action of ["abort", "rollback", "promote", "pause", "resume"]) {
    const ended = await rollout(action, "digits");
    expect(ended.code).toBe(EXIT_CODES.failed);
    expect(ended.stderr).toMatch(
      /rollout stable-1 of digits has ended: aborted at \S+Z \(operator: a trial\)/,
    );
  }
});
