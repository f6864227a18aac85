import type { SecAggCrypto } from "./primitives/crypto.ts";
import { shareCiphers } from "./primitives/share-cipher.ts";
import { nodeGcm } from "./node/gcm.ts";
import { nodeMaskKeys } from "./node/mask-keys.ts";
import { nodeX25519 } from "./node/x25519.ts";

/** The primitives of `node:crypto`, with which members and coordinators in Node take a third of WebCrypto's time. */
export function openNodeSecAggCrypto(): SecAggCrypto {
  return { x25519: nodeX25519(), openShareCipher: shareCiphers(nodeGcm), masks: nodeMaskKeys() };
}
