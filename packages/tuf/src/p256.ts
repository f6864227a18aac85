import { failure } from "@tributary/core";
import type { TufSigner } from "./keys.ts";
import { keyIdOf, p256PublicKey } from "./public-key.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const HALF_BYTES = 32;

/** A new ECDSA P-256 key, for tools and tokens that know no Ed25519. `exported` is its PKCS #8 form: keep it secret, wipe it after use. */
export async function generateP256Key(): Promise<{
  signer: TufSigner;
  exported: Uint8Array<ArrayBuffer>;
}> {
  const { privateKey } = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const exported = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  return { signer: await importP256Key(exported), exported };
}

/**
 * The key of {@linkcode generateP256Key}'s export, or of another tool's PKCS #8 file.
 *
 * @throws TributaryError `tuf/invalid-key`.
 */
export async function importP256Key(exported: Uint8Array): Promise<TufSigner> {
  try {
    const bytes = new Uint8Array(exported);
    // WebCrypto gives the public half only by way of the exported private one.
    const exportable = await crypto.subtle.importKey("pkcs8", bytes, CURVE, true, ["sign"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", exportable);
    const publicHalf = { kty, crv, x, y } as JsonWebKey;
    const verifying = await crypto.subtle.importKey("jwk", publicHalf, CURVE, true, ["verify"]);
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", verifying));
    const key = await crypto.subtle.importKey("pkcs8", bytes, CURVE, false, ["sign"]);
    bytes.fill(0);
    const publicKey = p256PublicKey(spki);
    return {
      keyId: keyIdOf(publicKey),
      key: publicKey,
      async sign(message) {
        const algorithm = { name: "ECDSA", hash: "SHA-256" };
        const fixed = await crypto.subtle.sign(algorithm, key, new Uint8Array(message));
        return derSignature(new Uint8Array(fixed));
      },
    };
  } catch (cause) {
    throw failure(
      "tuf/invalid-key",
      `tuf: expected an ECDSA P-256 key in PKCS #8 form, got ${exported.length} bytes of something else`,
      { cause },
    );
  }
}

/** WebCrypto gives r and s side by side (IEEE P1363), TUF signs in DER. */
function derSignature(fixed: Uint8Array): Uint8Array {
  const halves = [fixed.subarray(0, HALF_BYTES), fixed.subarray(HALF_BYTES)].flatMap((half) => {
    const first = half.findIndex((byte) => byte !== 0);
    const digits = first < 0 ? [0] : [...half.subarray(first)];
    // A leading bit of one would say that the number is negative.
    const body = digits[0]! >= 0x80 ? [0, ...digits] : digits;
    return [0x02, body.length, ...body];
  });
  return Uint8Array.from([0x30, halves.length, ...halves]);
}
