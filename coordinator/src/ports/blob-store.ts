import type { Digest } from "@tributary/core";
import type { Readable } from "node:stream";
import type { BlobRef } from "./model-records.ts";

/** Bytes `start` to `end`, both inclusive, from 0: as in an HTTP range. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface PutOptions {
  /** What the bytes must hash to. @throws `store/digest-mismatch`, with nothing kept */
  readonly digest?: Digest;
  /** @throws `store/too-large`, with nothing kept */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** A stored blob and when it was last put, ms since the epoch. */
export interface StoredBlob extends BlobRef {
  readonly putAt: number;
}

/** Immutable bytes by SHA-256. Putting the same bytes twice is one blob. */
export interface BlobStore {
  /**
   * Stores bytes, or a stream of them (memory: one chunk), and returns their digest.
   * When it resolves they are on disk, the folder entry too. A source that throws leaves nothing behind.
   */
  put(source: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<BlobRef>;
  /** `undefined` when it is not there. */
  stat(digest: Digest): Promise<BlobRef | undefined>;
  /** @throws `store/not-found`; RangeError when the range does not lie within the blob */
  stream(digest: Digest, range?: ByteRange): Promise<Readable>;
  /** The whole blob. @throws `store/not-found`, `store/too-large` (default limit 256 MiB) */
  bytes(digest: Digest, options?: { readonly maxBytes?: number }): Promise<Uint8Array<ArrayBuffer>>;
  /** All blobs, in no order; one that is put or deleted meanwhile may be among them or not. */
  list(): AsyncIterable<StoredBlob>;
  /** True when it was there. */
  delete(digest: Digest): Promise<boolean>;
  /** Idempotent. */
  close(): Promise<void>;
}
