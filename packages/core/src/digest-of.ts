import { encodeHex } from "./bytes.ts";
import type { Digest } from "./ids.ts";

/**
 * SHA-256 by WebCrypto, with the processor's instructions where it has them. `sha256` is for pure code, which cannot wait, and for streams;
 * what only uses this one ships no hash function.
 *
 * @throws TypeError where there is no WebCrypto: on a page that is not a secure context
 */
export async function digestOf(bytes: Uint8Array): Promise<Digest> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", unshared(bytes)))) as Digest;
}

/** WebCrypto takes no shared memory. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}
