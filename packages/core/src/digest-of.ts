import { digest } from "#digest";
import { encodeHex } from "./bytes.ts";
import type { Digest } from "./ids.ts";

/**
 * SHA-256 with the processor's instructions where it has them: by WebCrypto, in Node of little bytes at once. `sha256` is for pure code,
 * which cannot wait, and for streams; what only uses this one ships no hash function.
 *
 * @throws TypeError where there is no WebCrypto: on a page that is not a secure context
 */
export async function digestOf(bytes: Uint8Array): Promise<Digest> {
  return encodeHex(await digest(bytes)) as Digest;
}
