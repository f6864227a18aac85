import { decodeBase64url, decodeHex } from "@tributary/core";

/** A public key as people write it: 64 hexadecimal digits, or base64url as in a JWK's `x`. Undefined for anything else. */
export function readPublicKey(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/^[0-9a-f]{64}$/.test(text)) return decodeHex(text);
  try {
    const bytes = decodeBase64url(text);
    return bytes.length === 32 ? bytes : undefined;
  } catch {
    return undefined;
  }
}
