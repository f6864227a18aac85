import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createCoordinator } from "@tributary/coordinator";
import { createApiClient } from "@tributary/api-client";
import { asModelName } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-bundle-"));
});
afterEach(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

interface Bundled {
  readonly models: readonly { readonly name: string; readonly version: number }[];
  readonly expiresAt: string;
}

async function bundle(...args: string[]): Promise<Bundled> {
  const { stdout, stderr, code } = await runMain("bundle", ...args, "--out", at("models"), "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Bundled;
}

/** What an app runs from the folder. */
async function versionOf(model: string): Promise<number> {
  const { createRuntime } = await import("@tributary/runtime/node");
  await using runtime = await createRuntime({
    models: pathToFileURL(at("models")),
    trust: { root: at("models/root.json") },
    dataDir: at("device"),
  });
  const handle = await runtime.model(model);
  await handle.refresh();
  const answer = await handle.run({ image: new Float32Array(784) });
  expect(answer.probabilities).toHaveLength(10);
  return answer.version;
}

test("an ONNX file becomes a folder that apps run from, and a changed one its next version", async () => {
  await writeFile(at("digits.onnx"), buildLinear({ seed: 1 }));
  const args = [at("digits.onnx"), "--keys", at("keys"), "--valid-days", "30"];
  const first = await bundle(...args);
  expect(first.models).toEqual([{ name: "digits", version: 1 }]);
  const days = (Date.parse(first.expiresAt) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(29);
  expect(days).toBeLessThan(31);
  expect(await versionOf("digits")).toBe(1);
  const root = await readFile(at("models/root.json"));
  // The same file again is the same version.
  expect((await bundle(...args)).models).toEqual([{ name: "digits", version: 1 }]);
  await writeFile(at("digits.onnx"), buildLinear({ seed: 2 }));
  expect((await bundle(...args)).models).toEqual([{ name: "digits", version: 2 }]);
  expect(await versionOf("digits")).toBe(2);
  expect(await readFile(at("models/root.json"))).toEqual(root);
  // Blobs of the first version are gone; secrets were never there.
  const names = await readdir(at("models"), { recursive: true });
  expect(names.filter((name) => name.startsWith("blobs/"))).toHaveLength(3);
  expect(names.filter((name) => /key|token|sqlite|tmp/.test(name))).toEqual([]);
}, 60_000);

test("a coordinator's model becomes the seed of an app", async () => {
  await using opened = new AsyncDisposableStack();
  const coordinator = await createCoordinator({ dataDir: at("coordinator"), port: 0, logLevel: "silent" });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel(asModelName("digits"), buildLinear({ seed: 1 }));
  await api.publishModel(asModelName("others"), buildLinear({ seed: 2 }));
  await writeFile(at("root.json"), coordinator.tufRoot);
  const source = ["--url", coordinator.url, "--root", at("root.json")];
  expect((await bundle("digits", ...source)).models).toEqual([{ name: "digits", version: 1 }]);
  expect(await versionOf("digits")).toBe(1);
  const unknown = await runMain("bundle", "letters", ...source, "--out", at("models"));
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toContain("coordinator/unknown-model");
}, 60_000);
