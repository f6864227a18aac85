import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "./bytes.ts";
import type { Digest } from "./ids.ts";

/** SHA-256 as 32 bytes. */
export function sha256Bytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return nobleSha256(bytes);
}

/** SHA-256 as 64 lowercase hex digits, the name of a blob. Synchronous, so that pure code can use it. */
export function sha256(bytes: Uint8Array): Digest {
  return encodeHex(nobleSha256(bytes)) as Digest;
}

/** SHA-256 of a stream. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Ends the hash; no `update` may follow. */
  digest(): Digest;
}

/** Hashes in chunks: memory does not grow with the input. */
export function createSha256(): Sha256 {
  const hash = nobleSha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => encodeHex(hash.digest()) as Digest,
  };
}
