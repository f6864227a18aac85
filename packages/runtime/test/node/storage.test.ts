import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build2nn } from "@tributary/onnx";
import { createRuntime, type NodeRuntimeOptions } from "@tributary/runtime/node";
import type { Runtime } from "@tributary/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";

let dataDir: string;
let site: Site;
let runtime: Runtime | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-storage-"));
  site = await startSite();
});
afterEach(async () => {
  await runtime?.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(options: Partial<NodeRuntimeOptions> = {}): Promise<Runtime> {
  return (runtime = await createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    dataDir,
    ...options,
  }));
}

test("a device keeps no more of models than it may: those that are not open give way, those that are do not", async () => {
  // 0.8 MB of int8 weights each.
  for (const name of ["first", "second", "third"]) {
    await site.repository.releaseModel(name, build2nn({ seed: name, hidden: 600 }));
  }
  const device = await start({ maxStorageBytes: 1_300_000 });
  const first = await device.model("first");
  await first.close();
  const second = await device.model("second");
  const { storage } = await device.diagnose();
  expect(storage).toMatchObject({ kind: "files", maxBytes: 1_300_000, partialBytes: 0 });
  expect(storage.blobBytes).toBeLessThan(1_300_000);
  expect(storage.quotaBytes).toBeGreaterThan(storage.usageBytes!);
  const image = new Float32Array(784);
  await expect(device.model("third")).rejects.toMatchObject({
    code: "store/quota-exceeded",
    detail: { neededBytes: expect.any(Number) as number, availableBytes: expect.any(Number) as number },
  });
  expect((await second.run({ image })).version).toBe(1);
  await second.close();
  expect((await (await device.model("third")).run({ image })).version).toBe(1);
});

test("a limit that is none is refused before anything is opened", async () => {
  await expect(start({ maxStorageBytes: 1000 })).rejects.toThrow(RangeError);
  expect((await (await start()).diagnose()).storage.maxBytes).toBe(2 * 1024 ** 3);
});
