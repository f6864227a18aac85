import { asModelName, sha256, silentLogger, type Digest } from "@tributary/core";
import { createInsecureTestRandom, createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { createBaseWeights } from "../../src/participation/base-weights.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { keptBaseWeights } from "../../src/updater/base-weights-setting.ts";
import { createBlobFetcher } from "../../src/updater/blob-fetcher.ts";

const MODEL = asModelName("digits");
const signal = new AbortController().signal;

/** Files of versions, and a clean-up at whatever moment, that keeps what is recorded and what is pinned. */
function setUp() {
  const store = createMemoryStore();
  const downloads: Digest[] = [];
  const env = { clock: createVirtualClock(), random: createInsecureTestRandom(1), log: silentLogger };
  const files = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const blobs = createBlobFetcher({
    cache: store.blobs,
    http: {
      async *blob({ digest }) {
        downloads.push(digest);
        yield { offset: 0, bytes: files.get(digest)! };
      },
    },
    env,
  });
  const target = async (path: string) => {
    const bytes = new TextEncoder().encode(path);
    files.set(sha256(bytes), bytes);
    return { path, sha256: sha256(bytes), length: bytes.length } as never;
  };
  const cleanUp = async (): Promise<void> => {
    const kept = new Set<string>((await keptBaseWeights(store.settings)).map(({ digest }) => digest));
    await blobs.prune((digest) => kept.has(digest) || weights.pinned().includes(digest));
  };
  let onArrival = async (): Promise<void> => undefined;
  const weights = createBaseWeights({
    releases: {
      target,
      async fetchTarget(path, options) {
        const { sha256: digest, length } = await target(path);
        const bytes = await blobs.fetch({ digest, sizeBytes: length, keep: options?.keep ?? true });
        await onArrival();
        return bytes;
      },
    },
    settings: store.settings,
    onChange: () => undefined,
  });
  return {
    weights,
    downloads,
    cleanUp,
    store,
    atArrival: (work: () => Promise<void>) => void (onArrival = work),
  };
}

test("weights that came outlast a clean-up before it is recorded that they are kept", async () => {
  const { weights, downloads, cleanUp, atArrival } = setUp();
  atArrival(cleanUp);
  for (const version of [1, 2, 2, 3]) {
    const path = `models/digits/versions/${version}/weights.safetensors`;
    expect(new TextDecoder().decode(await weights.fetch(MODEL, path, signal))).toBe(path);
  }
  expect(downloads).toHaveLength(3);
});

test("earlier weights go with the next clean-up, and all of them when nobody trains any more", async () => {
  const { weights, cleanUp, store } = setUp();
  for (const version of [1, 2])
    await weights.fetch(MODEL, `models/digits/versions/${version}/weights.safetensors`, signal);
  await cleanUp();
  expect(await store.blobs.list()).toHaveLength(1);
  await weights.drop();
  await cleanUp();
  expect(await store.blobs.list()).toHaveLength(0);
});
