import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { heldOutDigits } from "@tributary/simulator";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Dataset } from "../src/start/dataset.ts";
import { ensureModel, ensureTask } from "../src/start/ensure.ts";
import { createProgress } from "../src/start/progress.ts";

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

test("the task is created, goes on with more rounds, and refuses what could never be a round", async () => {
  const first = { devices: 24, fleet: true, rounds: 5, dataset };
  expect(await ensureTask(api, first)).toEqual({ until: 5 });
  expect(await ensureTask(api, { ...first, devices: 8, rounds: 3 })).toEqual({ until: 3 });
  await expect(ensureTask(api, { ...first, devices: 7 })).rejects.toThrow("needs 8 devices or more");
  // Others may come: nobody knows how many.
  expect(await ensureTask(api, { ...first, devices: 7, fleet: false })).toEqual({ until: 5 });
  await expect(ensureTask(api, { ...first, dataset: heldOut("two") })).rejects.toThrow("--dataset");
  // Nothing to train: nothing to hold against it.
  expect(await ensureTask(api, { ...first, devices: 1, rounds: 0 })).toEqual({ until: null });
});
