import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { heldOutDigits } from "@tributary/simulator";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Dataset } from "../src/start/dataset.ts";
import { digitsTask, floorFor, privacyLine } from "../src/start/digits-task.ts";
import { ensureModel, ensureTask } from "../src/start/ensure.ts";
import { createProgress } from "../src/start/progress.ts";
import { runMain } from "./run-main.ts";

const heldOut = (seed: string): Dataset => ({
  training: "digits",
  heldOut: heldOutDigits({ seed, count: 50 }),
});
const dataset = heldOut("one");

let folder: string;
let coordinator: Coordinator;
let api: ApiClient;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-ensure-"));
  coordinator = await createCoordinator({ dataDir: folder, port: 0, logLevel: "silent" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await ensureModel(api, createProgress(process.stdout));
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true });
});

test.each([
  [24, { mode: "on", goal: 20, least: 16 }, /^updates are summed under masks, in sums of at least 16/],
  [18, { mode: "on", goal: 18, least: 16 }, /^updates are summed under masks, in sums of at least 16/],
  [100, { mode: "on", goal: 66, least: 16 }, /at least 16/],
  [10, { mode: "on", goal: 7, least: 3 }, /^a trial: .* of 3 devices: not private$/],
  [4, { mode: "on", goal: 3, least: 3 }, /^a trial: .* of 3 devices: not private$/],
  [2, { mode: "off", goal: 1, least: 1 }, /sees each update/],
])("%i devices: who is summed with how many, and what the app allows for it", (devices, expected, words) => {
  const spec = digitsTask({ devices, heldOut: "a".repeat(64), rounds: 1 });
  const { cohort, secureAggregation } = spec;
  const { mode, minimumCohort } = secureAggregation;
  expect({ mode, goal: cohort.goalCount, least: cohort.minimumCount }).toEqual(expected);
  if (mode === "on") expect(minimumCohort).toBe(expected.least);
  expect(floorFor(spec)).toBe(mode === "on" ? minimumCohort : 16);
  expect(privacyLine(spec)).toMatch(words);
  const off = digitsTask({ devices, heldOut: "a".repeat(64), rounds: 1, secureAggregation: "off" });
  expect(privacyLine(off)).toMatch(/sees each update/);
});

test("the task is created, goes on with more rounds, and refuses what could never be a round", async () => {
  const first = { devices: 24, fleet: true, rounds: 5, dataset };
  expect(await ensureTask(api, first)).toMatchObject({ until: 5 });
  expect(await ensureTask(api, { ...first, devices: 16, rounds: 3 })).toMatchObject({ until: 3 });
  await expect(ensureTask(api, { ...first, devices: 15 })).rejects.toThrow("needs 16 devices or more");
  // Others may come: nobody knows how many.
  expect(await ensureTask(api, { ...first, devices: 7, fleet: false })).toMatchObject({ until: 5 });
  await expect(ensureTask(api, { ...first, secureAggregation: false })).rejects.toThrow(
    "--no-secure-aggregation",
  );
  await expect(ensureTask(api, { ...first, dataset: heldOut("two") })).rejects.toThrow("--dataset");
  // Nothing to train: nothing to hold against it.
  expect(await ensureTask(api, { ...first, devices: 1, rounds: 0 })).toMatchObject({ until: null });
});

test("who is suspected of making sums fail is listed, and released", async () => {
  const url = ["--url", coordinator.url, "--data-dir", folder];
  expect(await runMain("task", "suspicions", "digits", ...url)).toMatchObject({
    code: 0,
    stdout: "no device of digits is suspected\n",
  });
  const device = "ab".repeat(16);
  const db = new DatabaseSync(join(folder, "tributary.db"));
  db.exec(
    `insert into suspicions values ('digits', '${device}', 4, 'quarantined', 'digits-7', 1790000000000)`,
  );
  db.close();
  expect((await runMain("task", "suspicions", "digits", ...url)).stdout).toBe(
    `2026-09-21T14:13:20.000Z  ${device}  quarantined  4 failures, last digits-7\n`,
  );
  const release = () => runMain("task", "release", "digits", device, ...url);
  expect(await release()).toMatchObject({
    code: 0,
    stdout: `released ${device} in digits, after 4 failures\n`,
  });
  expect(await release()).toMatchObject({ code: 5, stderr: expect.stringContaining("http/not-found") });
  expect(await api.suspicions("digits")).toEqual([]);
  expect((await runMain("task", "list", ...url)).stdout).toMatch(
    /^digits +running +synchronous +fedAvg +secure: on /,
  );
});
