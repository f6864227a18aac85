import { failure, silentLogger, systemEnv } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { tensor } from "@tributary/tensor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EngineProvider } from "../../src/engine-provider.ts";
import { createNodeEngines } from "../../src/node/node-engines.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { transportsTo } from "../fixtures/transports.ts";
import { createBlobFetcher } from "../../src/updater/blob-fetcher.ts";
import { createModelSlot } from "../../src/updater/model-slot.ts";
import type { ModelSlot } from "../../src/updater/slot-types.ts";
import { createReleases, type Releases } from "../../src/updater/releases.ts";
import { startSite, type Site } from "../fixtures/site.ts";

let site: Site;
let native: Engine;
let engines: EngineProvider;
let slot: ModelSlot;
let releases: Releases;
/** Sessions that are open, and how many were at once. */
let open: number;
let most: number;
let room: boolean;
/** Loads that fail from now on. */
let failures: number;

beforeEach(async () => {
  [open, most, room, failures] = [0, 0, true, 0];
  site = await startSite();
  await site.repository.release(1);
  native = await createOrtNodeEngine();
  const counting: Engine = {
    ...native,
    async load(model, options) {
      if (failures > 0) {
        failures -= 1;
        throw failure("engine/load-failed", "broken");
      }
      const session = await native.load(model, options);
      most = Math.max(most, ++open);
      return {
        ...session,
        async [Symbol.asyncDispose]() {
          await session[Symbol.asyncDispose]();
          open -= 1;
        },
      } satisfies Session;
    },
  };
  engines = { ...createNodeEngines(counting, true), hasRoomFor: () => room };
  const env = { ...systemEnv(), log: silentLogger };
  const store = createMemoryStore();
  const http = transportsTo(site.url, env);
  const blobs = createBlobFetcher({ cache: store.blobs, http, env });
  releases = createReleases({
    trustedRoot: async () => site.repository.root,
    store: store.metadata,
    identity: { store, tags: [] },
    http,
    blobs,
    env,
    closing: new AbortController().signal,
  });
  slot = createModelSlot({
    model: "digits",
    channel: "stable",
    variant: "auto",
    releases,
    blobs,
    engines,
    store,
    env,
    onProgress: () => {},
    onRunning: () => {},
    onMoved: () => {},
    onAvailable: () => {},
  });
  await releases.refresh();
  await slot.follow();
});
afterEach(async () => {
  await slot.close();
  await engines.close();
  await site.close();
});

const run = async () => {
  const image = tensor("float32", [1, 1, 28, 28], new Float32Array(784).fill(0.5));
  return (await slot.run({ image })).inference;
};

async function follow(version: number): Promise<void> {
  await site.repository.release(version);
  await releases.refresh();
  await slot.follow();
}

describe("a new version", () => {
  test("is loaded beside the old one, which answers the calls it has", async () => {
    const following = follow(2);
    const calls = Array.from({ length: 20 }, run);
    await following;
    expect(new Set((await Promise.all(calls)).map(({ version }) => version))).toEqual(new Set([1]));
    expect((await run()).version).toBe(2);
    expect(most).toBe(2);
  });

  test("takes the old one's place where there is no memory for both, and no call is dropped", async () => {
    room = false;
    const following = follow(2);
    const versions: number[] = [];
    let over = false;
    const asking = (async () => {
      while (!over) versions.push((await run()).version);
    })();
    await following;
    versions.push((await run()).version);
    over = true;
    await asking;
    expect(versions.toSorted((a, b) => a - b)).toEqual(versions); // 1 until 2 is there, and never back
    expect([versions.at(-1), most, open]).toEqual([2, 1, 1]);
  });

  test("that cannot be loaded leaves the old one, which has its place again", async () => {
    room = false;
    failures = 1;
    await expect(follow(2)).rejects.toMatchObject({ code: "engine/load-failed" });
    expect((await run()).version).toBe(1);
    expect(open).toBe(1);
    await follow(3);
    expect((await run()).version).toBe(3);
  });
});
