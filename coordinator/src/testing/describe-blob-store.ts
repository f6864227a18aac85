import { sha256 } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobStore } from "../ports/blob-store.ts";
import { codeOf } from "./code-of.ts";

/** One store under test. */
export interface BlobStoreFixture {
  readonly store: BlobStore;
  /** Opens the same data again. */
  readonly reopen: () => Promise<BlobStore>;
  /** How many unfinished uploads the store still holds on to; 0 when none can be seen. */
  readonly unfinished: () => Promise<number>;
  readonly dispose?: () => Promise<void>;
}

/** The conformance suite of `BlobStore`: every adapter's tests call it with what opens a new, empty store. */
export function describeBlobStore(name: string, open: () => Promise<BlobStoreFixture>): void {
  describe(`BlobStore: ${name}`, () => {
    let fixture: BlobStoreFixture;
    let store: BlobStore;
    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose?.();
    });

    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) & 0xff);
    async function* chunks(size: number): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
      const parts: Uint8Array[] = [];
      for await (const part of source) parts.push(part);
      return new Uint8Array(Buffer.concat(parts));
    }

    test("bytes and streams get the same name and read back", async () => {
      const digest = sha256(bytes);
      expect(await store.put(bytes)).toEqual({ digest, sizeBytes: bytes.length });
      expect(await store.put(chunks(777))).toEqual({ digest, sizeBytes: bytes.length });
      expect(await store.stat(digest)).toEqual({ digest, sizeBytes: bytes.length });
      expect(await store.bytes(digest)).toEqual(bytes);
      expect(await collect(await store.stream(digest))).toEqual(bytes);
    });

    test("the empty blob exists like any other", async () => {
      const { digest } = await store.put(new Uint8Array(0));
      expect(digest).toBe(sha256(new Uint8Array(0)));
      expect(await store.bytes(digest)).toHaveLength(0);
      expect(await collect(await store.stream(digest))).toHaveLength(0);
    });

    test("ranges are inclusive and must lie within", async () => {
      const { digest } = await store.put(bytes);
      expect(await collect(await store.stream(digest, { start: 10, end: 19 }))).toEqual(bytes.slice(10, 20));
      const last = bytes.length - 1;
      expect(await collect(await store.stream(digest, { start: last, end: last }))).toEqual(
        bytes.slice(last),
      );
      for (const range of [
        { start: 0, end: bytes.length },
        { start: -1, end: 4 },
        { start: 5, end: 4 },
      ])
        await expect(store.stream(digest, range)).rejects.toBeInstanceOf(RangeError);
    });

    test("what is not there is said to be missing", async () => {
      const digest = sha256(new Uint8Array([1, 2, 3]));
      expect(await store.stat(digest)).toBeUndefined();
      expect(await codeOf(store.bytes(digest))).toBe("store/not-found");
      expect(await codeOf(store.stream(digest))).toBe("store/not-found");
      expect(await store.delete(digest)).toBe(false);
    });

    test("a digest must hold; what does not leaves nothing", async () => {
      const other = sha256(new Uint8Array([9]));
      expect(await codeOf(store.put(bytes, { digest: other }))).toBe("store/digest-mismatch");
      expect(await store.stat(other)).toBeUndefined();
      expect(await store.stat(sha256(bytes))).toBeUndefined();
      expect(await fixture.unfinished()).toBe(0);
      expect((await store.put(bytes, { digest: sha256(bytes) })).sizeBytes).toBe(bytes.length);
    });

    test("a stream that is too long is cut off; what arrived is removed", async () => {
      let asked = 0;
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (;;) {
          asked++;
          yield new Uint8Array(1000);
        }
      }
      expect(await codeOf(store.put(endless(), { maxBytes: 10_000 }))).toBe("store/too-large");
      expect(asked).toBeLessThan(20);
      expect(await fixture.unfinished()).toBe(0);
      expect(await store.put(bytes, { maxBytes: bytes.length })).toHaveProperty("sizeBytes", bytes.length);
      expect(await codeOf(store.bytes(sha256(bytes), { maxBytes: 10 }))).toBe("store/too-large");
    });

    test("a source that fails, or an abort, leaves nothing", async () => {
      const fault = new Error("the sender went away");
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield bytes;
        throw fault;
      }
      await expect(store.put(failing())).rejects.toBe(fault);
      const controller = new AbortController();
      async function* aborted(): AsyncGenerator<Uint8Array> {
        yield bytes;
        controller.abort(fault);
        yield bytes;
      }
      await expect(store.put(aborted(), { signal: controller.signal })).rejects.toBe(fault);
      expect(await fixture.unfinished()).toBe(0);
    });

    test("the same bytes at the same time are one blob", async () => {
      const refs = await Promise.all([store.put(chunks(10)), store.put(chunks(999)), store.put(bytes)]);
      expect(new Set(refs.map((ref) => ref.digest)).size).toBe(1);
      expect(await store.bytes(refs[0]!.digest)).toEqual(bytes);
    });

    test("all are listed, with when they were last put", async () => {
      const list = async () => {
        const listed = [];
        for await (const blob of store.list()) listed.push(blob);
        return listed;
      };
      expect(await list()).toEqual([]);
      const before = Date.now() - 2_000;
      const one = await store.put(bytes);
      const two = await store.put(new Uint8Array([7]));
      await store.put(bytes);
      const listed = await list();
      expect(listed.map(({ digest }) => digest).toSorted()).toEqual([one.digest, two.digest].toSorted());
      expect(listed.find(({ digest }) => digest === one.digest)?.sizeBytes).toBe(bytes.length);
      for (const { putAt } of listed) expect(putAt).toBeGreaterThan(before);
      await store.delete(one.digest);
      expect((await list()).map(({ digest }) => digest)).toEqual([two.digest]);
    });

    test("deleted is gone", async () => {
      const { digest } = await store.put(bytes);
      expect(await store.delete(digest)).toBe(true);
      expect(await store.stat(digest)).toBeUndefined();
      await store.put(bytes);
      expect(await store.stat(digest)).toBeDefined();
    });

    test("blobs outlive the store; closing twice is fine, later calls are refused", async () => {
      const { digest } = await store.put(bytes);
      await store.close();
      await store.close();
      expect(await codeOf(store.stat(digest))).toBe("store/closed");
      expect(await codeOf(store.put(bytes))).toBe("store/closed");
      store = await fixture.reopen();
      expect(await store.bytes(digest)).toEqual(bytes);
    });
  });
}
