import { encodeHex } from "@tributary/core";
import type { SignatureVerifier } from "./verify-key.ts";

/**
 * Says at once what it said before of the same key, signature and bytes, the same in memory: with a remembered parser a refresh has those
 * of the one before again.
 */
export function rememberedVerifier(verify: SignatureVerifier): SignatureVerifier {
  const good = new WeakMap<Uint8Array, Set<string>>();
  return async (key, signature, message) => {
    const name = `${key.scheme} ${key.keyType} ${key.public} ${encodeHex(signature)}`;
    const known = good.get(message);
    if (known?.has(name)) return true;
    const isGood = await verify(key, signature, message);
    if (isGood) good.set(message, (known ?? new Set()).add(name));
    return isGood;
  };
}
