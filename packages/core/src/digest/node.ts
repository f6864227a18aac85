import { hash } from "node:crypto";
import { digest as inThread } from "./webcrypto.ts";

/** Below, a thread costs more than the hash does; above, the hash would keep others waiting. */
const MAX_SYNC_BYTES = 64 * 1024;

/** SHA-256 as 32 bytes; of much, in another thread. */
export async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  return bytes.length > MAX_SYNC_BYTES ? await inThread(bytes) : hash("sha256", bytes, "buffer");
}
