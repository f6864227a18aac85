import { implementation } from "#sha256";
import { encodeHex } from "./bytes.ts";
import type { Digest } from "./ids.ts";

/** SHA-256 as 32 bytes. */
export function sha256Bytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return implementation.hash(bytes);
}

/** SHA-256 as 64 lowercase hex digits, the name of a blob. Synchronous, so that pure code can use it. */
export function sha256(bytes: Uint8Array): Digest {
  return encodeHex(implementation.hash(bytes)) as Digest;
}

/** SHA-256 of a stream. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Ends the hash; no `update` may follow. */
  digest(): Digest;
}

/** Hashes in chunks: memory does not grow with the input. */
export function createSha256(): Sha256 {
  const stream = implementation.create();
  return {
    update: (bytes) => stream.update(bytes),
    digest: () => encodeHex(stream.digest()) as Digest,
  };
}
