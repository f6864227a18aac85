import { encodeHex, equalBytes } from "@tributary/core";
import type { SignatureVerifier } from "./verify-key.ts";

/** Files of a refresh, and those of the one before, which are read again from the store. */
const MAX_REMEMBERED = 16;

/** Says at once what it said before of the same key, signature and bytes: a refresh reads again what the one before has verified. */
export function rememberedVerifier(verify: SignatureVerifier): SignatureVerifier {
  const good = new Map<string, Uint8Array>();
  return async (key, signature, message) => {
    const name = `${key.scheme} ${key.keyType} ${key.public} ${encodeHex(signature)}`;
    const known = good.get(name);
    if (known !== undefined && equalBytes(known, message)) return true;
    const isGood = await verify(key, signature, message);
    if (!isGood) return false;
    good.delete(name);
    good.set(name, message);
    const [oldest] = good.keys();
    if (good.size > MAX_REMEMBERED) good.delete(oldest!);
    return true;
  };
}
