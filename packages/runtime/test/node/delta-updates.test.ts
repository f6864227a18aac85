import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deltaPath } from "@tributary/protocol";
import { createRuntime } from "@tributary/runtime/node";
import type { DownloadProgress, ModelHandle, Runtime } from "@tributary/runtime";
import { encodeDelta, parameterSet, safetensorsRegions } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";

const int8Of = (version: number): string => `models/digits/versions/${version}/weights.int8.safetensors`;

let dataDir: string;
let site: Site;
let runtime: Runtime;
let digits: ModelHandle;
let progress: DownloadProgress[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-deltas-"));
  site = await startSite();
  await site.repository.release(1, site.repository.parameters);
  progress = [];
  runtime = await createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    token: "good-token",
    dataDir,
  });
  digits = await runtime.model("digits");
  await digits.refresh();
  const events = runtime.events();
  void (async () => {
    for await (const event of events) if (event.type === "progress") progress.push(event);
  })();
});
afterEach(async () => {
  await runtime.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

const blobOf = (path: string): Uint8Array => {
  const { repository } = site;
  return repository.blobs.get(repository.targets.get(path)!.sha256)!;
};

/** Releases a version that differs a little, and what a delta from the one before makes. */
async function release(version: number, change: (delta: Uint8Array) => Uint8Array = (delta) => delta) {
  const { repository } = site;
  const { schema, values } = repository.parameters;
  const weights = parameterSet(
    schema,
    values.map((value, i) => (i % 97 === 0 ? (value * (9 - version)) / 9 : value)),
  );
  await repository.release(version, weights);
  const [base, next] = [blobOf(int8Of(version - 1)), blobOf(int8Of(version))];
  const delta = change(encodeDelta(base, next, safetensorsRegions(next))!);
  await repository.releaseFile(deltaPath(int8Of(version), version - 1), delta);
  return { next, delta };
}

const digestOf = (path: string): string => site.repository.targets.get(path)!.sha256;

test("a version comes by the delta from the one that runs, and is what was signed for", async () => {
  const { next, delta } = await release(2);
  expect(delta.length).toBeLessThan(0.1 * next.length);
  const { version } = await digits.refresh();
  expect(version).toBe(2);
  const requests = site.requests.join("\n");
  expect(requests).toContain(digestOf(deltaPath(int8Of(2), 1)));
  expect(requests).not.toContain(digestOf(int8Of(2)));
  const { models } = await runtime.diagnose();
  const graph = site.repository.targets.get(
    [...site.repository.targets.keys()].find((path) => path.endsWith(".onnx"))!,
  )!;
  const fullBytes = next.length + graph.length;
  expect(models[0]!.download).toEqual({ deltas: 1, sizeBytes: delta.length, fullBytes });
  await runtime.close();
  expect(progress.at(-1)).toMatchObject({
    model: "digits",
    version: 2,
    receivedBytes: delta.length + graph.length,
    totalBytes: delta.length + graph.length,
    fullBytes,
  });
});

test.each([
  ["of other bytes", (delta: Uint8Array) => delta.map((byte, i) => (i > 60 ? byte ^ 85 : byte))],
  ["of nothing", () => new Uint8Array(0)],
  [
    "that makes another file",
    () => {
      const base = blobOf(int8Of(1));
      return encodeDelta(
        base,
        base.map((byte, i) => (i > base.length - 40 ? byte + 1 : byte)),
        [],
      )!;
    },
  ],
])("a delta %s is no reason not to have the version: the whole file comes", async (_, change) => {
  const { next } = await release(2, change);
  expect((await digits.refresh()).version).toBe(2);
  expect(site.requests.join("\n")).toContain(digestOf(int8Of(2)));
  const { models } = await runtime.diagnose();
  expect(models[0]!.download).toMatchObject({ deltas: 0, sizeBytes: next.length });
  await digits.run({ image: new Float32Array(784) });
});

test("who was away for several versions takes one delta after the other", async () => {
  await release(2);
  await release(3);
  await release(4);
  expect((await digits.refresh()).version).toBe(4);
  const { models } = await runtime.diagnose();
  expect(models[0]!.download).toMatchObject({ deltas: 3 });
});

test("who was away for thirty versions downloads once, by the way that costs least", async () => {
  const { repository } = site;
  const weightsOf = (version: number) =>
    parameterSet(
      repository.parameters.schema,
      repository.parameters.values.map((value, i) => (i % 97 === 0 ? (value * (64 - version)) / 64 : value)),
    );
  const deltas = new Map<number, Uint8Array>();
  let before = blobOf(int8Of(1));
  const start = before;
  for (let version = 2; version <= 31; version++) {
    await repository.release(version, weightsOf(version));
    const next = blobOf(int8Of(version));
    const delta = encodeDelta(before, next, safetensorsRegions(next))!;
    await repository.releaseFile(deltaPath(int8Of(version), version - 1), delta);
    deltas.set(version, delta);
    before = next;
  }
  // One by one there are too many; the twentieth before the newest is a step from the first.
  const leaps = new Map([
    [11, start],
    [31, blobOf(int8Of(11))],
  ]);
  for (const [version, base] of leaps) {
    const next = blobOf(int8Of(version));
    const from = version === 11 ? 1 : 11;
    const delta = encodeDelta(base, next, safetensorsRegions(next))!;
    await repository.releaseFile(deltaPath(int8Of(version), from), delta);
    deltas.set(version, delta);
  }
  const earlier = site.requests.length;
  expect((await digits.refresh()).version).toBe(31);
  const { models } = await runtime.diagnose();
  expect(models[0]!.download).toMatchObject({
    deltas: 2,
    sizeBytes: deltas.get(11)!.length + deltas.get(31)!.length,
  });
  // The manifest and two deltas.
  expect(site.requests.slice(earlier).filter((each) => each.includes("/blobs/"))).toHaveLength(3);
});
