import { asDigest, sha256, type Digest } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobCache } from "../store/device-store.ts";

export interface DescribeBlobCacheOptions {
  /** Opens the cache; called again after a `close` it finds what was written. */
  open(): Promise<{ readonly blobs: BlobCache; close(): Promise<void> }>;
  /** Removes what was kept. Called after every test, the cache being closed. */
  remove(): Promise<void>;
  /** Whether a cache opened again finds what was written. @defaultValue true */
  readonly persistent?: boolean | undefined;
}

/** The conformance suite of `BlobCache`: part of every device store's, and that of a cache which takes its place there. */
export function describeBlobCache(name: string, options: DescribeBlobCacheOptions): void {
  describe(`blob cache ${name}`, () => {
    let opened: { readonly blobs: BlobCache; close(): Promise<void> };
    beforeEach(async () => {
      opened = await options.open();
    });
    afterEach(async () => {
      await opened.close();
      await options.remove();
    });
    const reopen = async (): Promise<void> => {
      if (options.persistent === false) return;
      await opened.close();
      opened = await options.open();
    };

    test("blobs: written, listed, read after a restart, deleted", async () => {
      const [digest, bytes] = blob(1, 100_000);
      await opened.blobs.write(digest, bytes);
      await opened.blobs.write(digest, bytes);
      await reopen();
      const { blobs } = opened;
      expect(await blobs.read(digest)).toEqual(bytes);
      expect(await blobs.list()).toEqual([{ digest, sizeBytes: bytes.length }]);
      await blobs.delete(digest);
      await blobs.delete(digest);
      expect(await blobs.read(digest)).toBeUndefined();
      expect(await blobs.list()).toEqual([]);
    });

    test("what was read is the reader's to change, and what was written the writer's", async () => {
      const [digest, bytes] = blob(9, 1000);
      const given = bytes.slice();
      await opened.blobs.write(digest, given);
      given.fill(1);
      (await opened.blobs.read(digest))!.fill(2);
      expect(await opened.blobs.read(digest)).toEqual(bytes);
    });

    test("partial downloads: appended in order, kept over a restart, dropped by the whole blob", async () => {
      const [digest, bytes] = blob(2, 5000);
      await opened.blobs.appendPartial(digest, 0, bytes.subarray(0, 1000));
      await opened.blobs.appendPartial(digest, 1000, bytes.subarray(1000, 1500));
      await expect(opened.blobs.appendPartial(digest, 1000, bytes)).rejects.toThrow(RangeError);
      await reopen();
      const { blobs } = opened;
      expect(await blobs.readPartial(digest)).toEqual(bytes.slice(0, 1500));
      expect(await blobs.read(digest)).toBeUndefined();
      expect(await blobs.list()).toEqual([]);
      expect(await blobs.listPartials()).toEqual([{ digest, sizeBytes: 1500 }]);
      await blobs.appendPartial(digest, 0, bytes.subarray(0, 10));
      expect(await blobs.readPartial(digest)).toEqual(bytes.slice(0, 10));
      await blobs.write(digest, bytes);
      expect([await blobs.readPartial(digest), await blobs.listPartials()]).toEqual([undefined, []]);
      await blobs.appendPartial(digest, 0, bytes.subarray(0, 10));
      await blobs.deletePartial(digest);
      expect(await blobs.readPartial(digest)).toBeUndefined();
      expect(await blobs.read(digest)).toEqual(bytes);
    });
  });
}

function blob(seed: number, length: number): [Digest, Uint8Array<ArrayBuffer>] {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 255);
  return [asDigest(sha256(bytes)), bytes];
}
