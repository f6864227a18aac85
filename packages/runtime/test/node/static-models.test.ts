import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRuntime, type NodeRuntimeOptions } from "@tributary/runtime/node";
import type { Runtime } from "@tributary/runtime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeReleaseFolder } from "../fixtures/release-folder.ts";
import { createReleaseRepository, type ReleaseRepository } from "../fixtures/release-repository.ts";
import { startSite } from "../fixtures/site.ts";

const NOBODY = "http://127.0.0.1:1";
const DAY_MS = 86_400_000;
const image = Float32Array.from({ length: 784 }, (_, i) => (i % 7) / 7);

let folder: string;
let repository: ReleaseRepository;
const runtimes: Runtime[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-static-"));
  repository = await createReleaseRepository();
  await repository.release(1);
});
afterEach(async () => {
  await Promise.all(runtimes.splice(0).map((runtime) => runtime.close()));
  await rm(folder, { recursive: true, force: true });
});

const models = () => join(folder, "models");
const write = (written: Pick<ReleaseRepository, "metadata" | "blobs"> = repository) =>
  writeReleaseFolder(models(), written);

async function start(options: Partial<NodeRuntimeOptions>, trusted = repository): Promise<Runtime> {
  const runtime = await createRuntime({
    trust: { root: trusted.root },
    dataDir: join(folder, "device"),
    ...options,
  });
  runtimes.push(runtime);
  return runtime;
}

describe("a folder of models", () => {
  test("is run from, without a coordinator, and looked at again when asked", async () => {
    await write();
    const runtime = await start({ models: pathToFileURL(models()) });
    const digits = await runtime.model("digits");
    expect((await digits.run({ image })).version).toBe(1);
    await repository.release(2);
    await write();
    await digits.refresh();
    expect((await digits.run({ image })).version).toBe(2);
    expect((await runtime.status()).connection).toBe("offline");
  });

  test("may lie on a server that answers what it does not have with a page", async () => {
    await write();
    const server = createServer((request, response) => {
      readFile(join(models(), request.url!.slice("/app/models".length))).then(
        (bytes) => response.writeHead(200).end(bytes),
        () => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html>"),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const runtime = await start({ models: `http://127.0.0.1:${port}/app/models` });
      const digits = await runtime.model("digits");
      expect((await digits.run({ image })).version).toBe(1);
      await expect(runtime.model("letters")).rejects.toMatchObject({ code: "runtime/unknown-model" });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("that another root signed is refused, and one that has expired says so", async () => {
    const other = await createReleaseRepository();
    await write();
    const wrong = await start({ models: pathToFileURL(models()) }, other);
    await expect(wrong.model("digits")).rejects.toMatchObject({
      code: expect.stringMatching(/^tuf\//) as unknown,
    });
    const old = await createReleaseRepository(Date.now() - 31 * DAY_MS);
    await old.release(1);
    await write(old);
    const late = await start({ models: pathToFileURL(models()), dataDir: join(folder, "late") }, old);
    await expect(late.model("digits")).rejects.toMatchObject({ code: "tuf/expired" });
  });

  test("enrols nobody, and is instead of a coordinator", async () => {
    const options = { trust: { root: repository.root }, dataDir: join(folder, "device") };
    for (const wrong of [
      {},
      { models: "file:///models/", coordinator: NOBODY },
      { models: "file:///models/", token: "t" },
      { models: "./models" },
      { coordinator: "ftp://x.example" },
    ]) {
      await expect(createRuntime({ ...options, ...wrong })).rejects.toThrow(RangeError);
    }
    await write();
    const runtime = await start({ models: pathToFileURL(models()) });
    const events = runtime.events();
    runtime.participate({ consent: true });
    for await (const event of events) {
      if (event.type !== "problem") continue;
      expect(event.code).toBe("runtime/participation-unavailable");
      break;
    }
  });
});

describe("a release that the app ships", () => {
  test("runs where the coordinator cannot be reached, although it has expired", async () => {
    const old = await createReleaseRepository(Date.now() - 400 * DAY_MS);
    await old.release(3);
    await write(old);
    const runtime = await start({ coordinator: NOBODY, seed: pathToFileURL(models()) }, old);
    const digits = await runtime.model("digits");
    expect((await digits.run({ image })).version).toBe(3);
  });

  test("gives way to what is newer, which it never replaces", async () => {
    await write();
    const first = await start({ coordinator: NOBODY, seed: pathToFileURL(models()) });
    expect((await first.model("digits")).version).toBe(1);
    await first.close();
    const site = await startSite({ repository });
    try {
      await repository.release(2);
      const second = await start({ coordinator: site.url, seed: pathToFileURL(models()) });
      const digits = await second.model("digits");
      expect((await digits.refresh()).version).toBe(2);
      await second.close();
    } finally {
      await site.close();
    }
    const third = await start({ coordinator: NOBODY, seed: pathToFileURL(models()) });
    expect((await third.model("digits")).version).toBe(2);
  });

  test("that other keys signed, or that is not complete, is none", async () => {
    const other = await createReleaseRepository();
    await other.release(1);
    await write(other);
    const runtime = await start({ coordinator: NOBODY, seed: pathToFileURL(models()) });
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: "runtime/offline" });
    const away = await start({ coordinator: NOBODY, seed: `${NOBODY}/seed`, dataDir: join(folder, "away") });
    await expect(away.model("digits")).rejects.toMatchObject({ code: "runtime/offline" });
    await write();
    await rm(join(models(), "tuf", "1.snapshot.json"));
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: "runtime/offline" });
  });
});
