import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { concatBytes, decodeHex } from "@tributary/core";
import {
  PKCS8_PREFIX,
  requireKeyBytes,
  requireNonZero,
  smallOrder,
  type X25519,
} from "../primitives/x25519.ts";

/** RFC 8410: the wrapping of an X25519 public key, which follows it. */
const SPKI_PREFIX = decodeHex("302a300506032b656e032100");

/** A cohort of a thousand members has as many. */
const MAX_KNOWN_KEYS = 1024;

/** X25519 of `node:crypto`: a peer's key, which members of a cohort meet many times, is read once. */
export function nodeX25519(): X25519 {
  const known = new Map<string, KeyObject>();
  const publicKeyOf = (bytes: Uint8Array): KeyObject => {
    const text = Buffer.from(bytes).toString("latin1");
    const before = known.get(text);
    if (before !== undefined) return before;
    const spki = Buffer.from(concatBytes(SPKI_PREFIX, bytes));
    const key = createPublicKey({ key: spki, format: "der", type: "spki" });
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
        publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.length)),
        async agree(peer) {
          requireKeyBytes("public key", peer);
          try {
            const shared = diffieHellman({ privateKey, publicKey: publicKeyOf(peer) });
            return requireNonZero(new Uint8Array(shared));
          } catch (cause) {
            throw smallOrder(cause);
          }
        },
      };
    },
  };
}
