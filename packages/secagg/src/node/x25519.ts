import { createPrivateKey, createPublicKey, diffieHellman, KeyObject, webcrypto } from "node:crypto";
import { concatBytes } from "@tributary/core";
import {
  PKCS8_PREFIX,
  requireKeyBytes,
  requireNonZero,
  smallOrder,
  type X25519,
} from "../primitives/x25519.ts";

const KEY_BYTES = 32;

/** A cohort of a thousand members has as many. */
const MAX_KNOWN_KEYS = 1024;

/** X25519 of `node:crypto`: a peer's key, which members of a cohort meet many times, is read once. */
export function nodeX25519(): X25519 {
  const known = new Map<string, KeyObject>();
  const publicKeyOf = async (bytes: Uint8Array): Promise<KeyObject> => {
    const text = Buffer.from(bytes).toString("latin1");
    const before = known.get(text);
    if (before !== undefined) return before;
    // WebCrypto reads raw keys in a third of the time that OpenSSL takes to find out what DER is of.
    const imported = await webcrypto.subtle.importKey("raw", Uint8Array.from(bytes), "X25519", true, []);
    const key = KeyObject.from(imported);
    if (known.size === MAX_KNOWN_KEYS) known.clear();
    known.set(text, key);
    return key;
  };
  return {
    name: "node",
    async importSecret(secret) {
      requireKeyBytes("secret", secret);
      const pkcs8 = Buffer.from(concatBytes(PKCS8_PREFIX, secret));
      const privateKey = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
      pkcs8.fill(0);
      const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
      return {
        publicKey: new Uint8Array(spki.subarray(-KEY_BYTES)),
        async agree(peer) {
          requireKeyBytes("public key", peer);
          try {
            const shared = diffieHellman({ privateKey, publicKey: await publicKeyOf(peer) });
            return requireNonZero(new Uint8Array(shared));
          } catch (cause) {
            throw smallOrder(cause);
          }
        },
      };
    },
  };
}
