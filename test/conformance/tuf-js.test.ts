import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { type Coordinator, createCoordinator } from "@tributary/coordinator";
import { sha256 } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { Updater } from "tuf-js";
import { afterAll, beforeAll, expect, test } from "vitest";

// Another client of the specification, as it is, against a real coordinator.

let coordinator: Coordinator;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-tuf-js-"));
  coordinator = await createCoordinator({ dataDir: join(folder, "data"), port: 0, logLevel: "silent" });
});
afterAll(async () => {
  await coordinator?.close();
  await rm(folder, { recursive: true, force: true });
});

function peer(): Updater {
  return new Updater({
    metadataDir: folder,
    metadataBaseUrl: `${coordinator.url}/v1/tuf`,
    targetDir: folder,
    targetBaseUrl: `${coordinator.url}/v1/targets`,
  });
}

test("tuf-js refreshes and downloads, through rotated roots and the delegations of a model", async () => {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await writeFile(join(folder, "root.json"), coordinator.tufRoot);
  const before = peer();
  await before.refresh();
  const first = await before.getTargetInfo("models/digits/stable.json");

  for (const role of ["root", "targets", "digits", "timestamp"]) await api.rotateKey(role);
  await api.publishModel("digits", buildLinear({ seed: 2 }));
  const after = peer();
  await after.refresh();
  const info = await after.getTargetInfo("models/digits/stable.json");
  expect(info!.hashes["sha256"]).not.toBe(first!.hashes["sha256"]);
  const manifest = JSON.parse(
    await readFile(await after.downloadTarget(info!, join(folder, "manifest")), "utf8"),
  ) as { version: number; weights: { int8: { target: string } } };
  expect(manifest.version).toBe(2);

  const weights = await after.getTargetInfo(manifest.weights.int8.target);
  const bytes = await readFile(await after.downloadTarget(weights!, join(folder, "weights")));
  expect(sha256(bytes)).toBe(weights!.hashes["sha256"]);
  expect(await after.getTargetInfo("models/digits/none.json")).toBeUndefined();
});

test("a target is served under its hash and a name, and under nothing else", async () => {
  const status = async (path: string) => (await fetch(`${coordinator.url}/v1/targets/${path}`)).status;
  expect(await status("models/digits/stable.json")).toBe(404);
  expect(await status(`models/digits/${"0".repeat(64)}.stable.json`)).toBe(404);
  expect(await status("0".repeat(64))).toBe(404);
});
