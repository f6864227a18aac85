import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createCoordinator } from "@tributary/coordinator";
import { createApiClient } from "@tributary/api-client";
import { asModelName } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { parseModelManifest } from "@tributary/protocol";
import { tensor, writeSafetensors } from "@tributary/tensor";
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
  const images = tensor(
    "float32",
    [16, 1, 28, 28],
    Float32Array.from({ length: 16 * 784 }, (_, i) => (i % 17) / 16),
  );
  await writeFile(at("examples.safetensors"), writeSafetensors([["images", images]]));
  const forms = ["--variants", "int8-dynamic,int8-static", "--calibration", at("examples.safetensors")];
  const args = [at("digits.onnx"), "--keys", at("keys"), "--valid-days", "30", ...forms];
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
  const names = await readdir(at("models"), { recursive: true });
  const published = names.filter((name) => name.startsWith("blobs/"));
  const manifests = await Promise.all(published.map((name) => readFile(at(`models/${name}`))));
  const manifest = manifests.find(
    (bytes) => bytes.includes('"formatVersion":2') && bytes.includes("variants"),
  )!;
  const { variants } = parseModelManifest(manifest);
  expect(variants!.map(({ name }) => name)).toEqual(["int8-dynamic", "int8-static"]);
  // Seventeen quantiles of what the examples look like, and no example.
  const { image } = variants![1]!.sample!;
  expect(image).toHaveLength(17);
  for (const [i, value] of image!.entries()) expect(Math.abs(value - i / 16)).toBeLessThan(0.06);
  // The manifest, the graph, its int8 weights, its two int8 forms, the graph that explains it, and the document and three graphs of a device's
  // own weights. Those of the first version are gone.
  expect(published).toHaveLength(10);
  // Secrets were never there.
  expect(names.filter((name) => /key|token|sqlite|tmp/.test(name))).toEqual([]);
}, 120_000);

/** y = 2·x0 - x1, as TensorFlow.js saves it. */
async function writeTfjsModel(): Promise<void> {
  const dense = {
    class_name: "Dense",
    config: { name: "y", units: 1, activation: "linear", use_bias: false, batch_input_shape: [null, 2] },
  };
  const json = {
    modelTopology: { class_name: "Sequential", config: { name: "line", layers: [dense] } },
    weightsManifest: [
      { paths: ["line.bin"], weights: [{ name: "y/kernel", shape: [2, 1], dtype: "float32" }] },
    ],
  };
  await writeFile(at("model.json"), JSON.stringify(json));
  await writeFile(at("line.bin"), new Uint8Array(Float32Array.of(2, -1).buffer));
}

test("so does a model of TensorFlow.js, with the weights beside its model.json", async () => {
  await writeTfjsModel();
  const args = [at("model.json"), "--name", "line", "--keys", at("keys"), "--float32"];
  expect((await bundle(...args)).models).toEqual([{ name: "line", version: 1 }]);
  const { createRuntime } = await import("@tributary/runtime/node");
  const { createTfjsEngine } = await import("@tributary/engine/tfjs");
  const tfjs = await createTfjsEngine();
  await using runtime = await createRuntime({
    models: pathToFileURL(at("models")),
    trust: { root: at("models/root.json") },
    dataDir: at("device"),
    tfjs,
  });
  const line = await runtime.model("line", { variant: "float32" });
  const [input] = line.state.inputs;
  const { outputs } = await line.run({ [input!.name]: [3, 4] });
  expect(Number(outputs["y"]!.data[0])).toBe(2);
  expect(line.state).toMatchObject({ engine: "tfjs-cpu", variant: "float32" });
  await rm(at("line.bin"));
  const broken = await runMain("bundle", ...args, "--out", at("models"));
  expect([broken.code === 0, broken.stderr.includes("line.bin")]).toEqual([false, true]);
  await tfjs.close();
}, 120_000);

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
}, 120_000);
