import { failure, sha256, silentLogger, type Digest } from "@tributary/core";
import { createInsecureTestRandom, createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import type { BlobChunk, BlobRequest } from "../../src/transport/release-http.ts";
import { createBlobFetcher } from "../../src/updater/blob-fetcher.ts";

const CHUNK_BYTES = 256 * 1024;
const SIZE_BYTES = 10 * CHUNK_BYTES + 77;
const bytes = Uint8Array.from({ length: SIZE_BYTES }, (_, i) => (i * 2654435761) >>> 24);
const digest = sha256(bytes);

interface Script {
  /** Breaks off after so many chunks; the script's last entry holds for all further tries. */
  readonly breakAfter?: number;
  readonly ignoreRange?: boolean;
  readonly damage?: boolean;
}

function setUp(...scripts: Script[]) {
  const clock = createVirtualClock();
  const store = createMemoryStore();
  const asked: number[] = [];
  const http = {
    async *blob({ offset, signal }: BlobRequest): AsyncGenerator<BlobChunk> {
      asked.push(offset);
      const script = scripts[Math.min(asked.length, scripts.length) - 1] ?? {};
      let position = script.ignoreRange === true ? 0 : offset;
      for (let chunk = 0; position < SIZE_BYTES; chunk++) {
        signal?.throwIfAborted();
        if (chunk === script.breakAfter) throw failure("transport/closed", "broke off");
        const end = Math.min(position + CHUNK_BYTES, SIZE_BYTES);
        const piece = bytes.slice(position, end);
        if (script.damage === true) piece[0]! ^= 1;
        yield { offset: position, bytes: piece };
        position = end;
        await Promise.resolve();
      }
    },
  };
  const env = { clock, random: createInsecureTestRandom(1), log: silentLogger };
  const fetcher = createBlobFetcher({ cache: store.blobs, http, env });
  /** Time passes while a call waits for its next try. */
  const running = async <T>(call: Promise<T>): Promise<T> => {
    let done = false;
    void call.catch(() => undefined).finally(() => (done = true));
    while (!done) await clock.advanceToNextAsync();
    return await call;
  };
  return { store, asked, fetcher, running, http, env };
}

test("a download that breaks goes on where it was, and its progress with it", async () => {
  const { fetcher, asked, running, store } = setUp({ breakAfter: 5 }, { breakAfter: 3 }, {});
  const progress: number[] = [];
  const got = await running(
    fetcher.fetch({ digest, sizeBytes: SIZE_BYTES, onProgress: (n) => progress.push(n) }),
  );
  expect(sha256(got)).toBe(digest);
  expect(asked).toEqual([0, 5 * CHUNK_BYTES, 8 * CHUNK_BYTES]);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(SIZE_BYTES);
  expect(await store.blobs.readPartial(digest)).toBeUndefined();
  expect(sha256((await fetcher.cached(digest))!)).toBe(digest);
});

test("after a restart the kept part is not asked for again", async () => {
  const { fetcher, asked, running, store } = setUp({ breakAfter: 6 });
  expect(sha256(await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES })))).toBe(digest);
  expect(asked.length).toBe(2);
  const { fetcher: other, running: run, asked: askedAgain, store: second } = setUp({});
  await second.blobs.appendPartial(digest, 0, bytes.subarray(0, 4 * CHUNK_BYTES));
  await run(other.fetch({ digest, sizeBytes: SIZE_BYTES }));
  expect(askedAgain).toEqual([4 * CHUNK_BYTES]);
  expect(await store.blobs.list()).toEqual([{ digest, sizeBytes: SIZE_BYTES }]);
});

test("an interrupted download leaves what it got for the next start", async () => {
  const { fetcher, running, store, asked } = setUp({ breakAfter: 9 }, { breakAfter: 0 });
  await expect(running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }))).rejects.toMatchObject({
    code: "transport/closed",
  });
  expect(asked.length).toBe(6);
  const kept = (await store.blobs.readPartial(digest))!;
  expect(kept.length).toBeGreaterThanOrEqual(4 * CHUNK_BYTES);
  expect(sha256(kept)).toBe(sha256(bytes.subarray(0, kept.length)));
});

test("a server that sends the whole blob instead of the range is understood", async () => {
  const { fetcher, running } = setUp({ breakAfter: 5 }, { ignoreRange: true });
  expect(sha256(await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES })))).toBe(digest);
});

test("bytes that do not match the digest are thrown away, with what was kept of them", async () => {
  const { fetcher, running, store } = setUp({ damage: true });
  await expect(running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }))).rejects.toMatchObject({
    code: "transport/digest-mismatch",
  });
  expect(await store.blobs.readPartial(digest)).toBeUndefined();
  expect(await store.blobs.list()).toEqual([]);
});

test("a damaged copy in the cache is fetched again", async () => {
  const { fetcher, asked, running, store } = setUp({});
  await store.blobs.write(digest, bytes.subarray(1));
  expect(await fetcher.cached(digest)).toBeUndefined();
  await store.blobs.write(digest, bytes.subarray(1));
  expect(sha256(await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES })))).toBe(digest);
  expect(asked).toEqual([0]);
});

test("callers at the same time share one download; one that gives up does not spoil it for the other", async () => {
  const { fetcher, asked, running } = setUp({});
  const [a, b] = await running(
    Promise.all([
      fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }),
      fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }),
    ]),
  );
  expect([a, b].map(sha256)).toEqual([digest, digest]);
  expect(asked).toEqual([0]);

  const next = setUp({});
  const controller = new AbortController();
  const first = next.fetcher.fetch({ digest, sizeBytes: SIZE_BYTES, signal: controller.signal });
  const second = next.fetcher.fetch({ digest, sizeBytes: SIZE_BYTES });
  controller.abort(new Error("not needed"));
  await expect(next.running(first)).rejects.toThrow("not needed");
  expect(sha256(await next.running(second))).toBe(digest);
});

test("base weights are handed over and not kept; pruning removes what is not named", async () => {
  const { fetcher, running, store } = setUp({});
  await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES, keep: false }));
  expect(await store.blobs.list()).toEqual([]);
  await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }));
  const other = sha256(Uint8Array.of(1)) as Digest;
  await store.blobs.write(other, Uint8Array.of(1));
  await fetcher.prune((each) => each === digest);
  expect((await store.blobs.list()).map((each) => each.digest)).toEqual([digest]);
});

test("who joined a download that hangs can give up", async () => {
  const { store } = setUp();
  const hanging = createBlobFetcher({
    cache: store.blobs,
    http: {
      async *blob(): AsyncGenerator<BlobChunk> {
        yield await new Promise<never>(() => {});
      },
    },
    env: { clock: createVirtualClock(), random: createInsecureTestRandom(1), log: silentLogger },
  });
  void hanging.fetch({ digest, sizeBytes: SIZE_BYTES });
  const joined = hanging.fetch({ digest, sizeBytes: SIZE_BYTES, signal: AbortSignal.timeout(20) });
  await expect(joined).rejects.toThrow();
});

test("after a download that was aborted, those who had joined it share the next", async () => {
  const { fetcher, asked, running } = setUp({});
  const controller = new AbortController();
  const request = { digest, sizeBytes: SIZE_BYTES };
  const first = fetcher.fetch({ ...request, signal: controller.signal });
  const joined = [fetcher.fetch(request), fetcher.fetch(request), fetcher.fetch(request)];
  controller.abort(new Error("not needed"));
  await expect(running(first)).rejects.toThrow("not needed");
  expect((await running(Promise.all(joined))).map(sha256)).toEqual([digest, digest, digest]);
  expect(asked.length).toBeLessThanOrEqual(2);
});

test("pruning removes what is left of downloads that nobody needs any more", async () => {
  const { fetcher, store } = setUp({});
  const [needed, old] = [sha256(Uint8Array.of(1)), sha256(Uint8Array.of(2))];
  await store.blobs.appendPartial(needed, 0, Uint8Array.of(1));
  await store.blobs.appendPartial(old, 0, Uint8Array.of(1));
  await fetcher.prune((each) => each === needed);
  expect((await store.blobs.listPartials()).map(({ digest: each }) => each)).toEqual([needed]);
});

test("a kept part that is damaged costs a second download, not the blob", async () => {
  const { fetcher, asked, running, store } = setUp({});
  const damaged = bytes.slice(0, 4 * CHUNK_BYTES);
  damaged[7]! ^= 1;
  await store.blobs.appendPartial(digest, 0, damaged);
  expect(sha256(await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES })))).toBe(digest);
  expect(asked).toEqual([4 * CHUNK_BYTES, 0]);
});

test("a storage that takes no parts does not break a download; one without room for the blob refuses it first", async () => {
  const full = failure("store/quota-exceeded", "full");
  const { running, store, http, env, asked } = setUp({ breakAfter: 9 }, {});
  const cache = { ...store.blobs, appendPartial: () => Promise.reject(full) };
  const reserved: number[] = [];
  const fetcher = createBlobFetcher({
    cache,
    http,
    env,
    space: {
      async reserve(sizeBytes) {
        reserved.push(sizeBytes);
        if (reserved.length > 1) throw full;
      },
      write: (name, whole) => store.blobs.write(name, whole),
    },
  });
  expect(sha256(await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES })))).toBe(digest);
  expect(asked).toEqual([0, 9 * CHUNK_BYTES]);
  await store.blobs.delete(digest);
  await expect(running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES }))).rejects.toBe(full);
  expect([reserved, asked.length]).toEqual([[SIZE_BYTES, SIZE_BYTES], 2]);
  // What is not kept needs no room.
  await running(fetcher.fetch({ digest, sizeBytes: SIZE_BYTES, keep: false }));
});
