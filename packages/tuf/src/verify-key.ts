import { decodeHex } from "@tributary/core";
import { detectEd25519, platformSubtle, type Ed25519 } from "./ed25519.ts";
import type { TufKey } from "./metadata.ts";

/** Decides one signature of one key. False for key types it does not know and for bad bytes; never throws. */
export type SignatureVerifier = (key: TufKey, signature: Uint8Array, message: Uint8Array) => Promise<boolean>;

export interface VerifierOptions {
  /** Defaults to the platform's, or noble's where that has none. */
  readonly ed25519?: Ed25519;
  /** Defaults to the platform's; null to do without: ECDSA and RSA keys then count for nothing. */
  readonly subtle?: SubtleCrypto | null;
}

/** Scheme names of the spec, and the key types under which tools list them. */
const KEY_TYPES: Readonly<Record<string, readonly string[]>> = {
  ed25519: ["ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa", "ecdsa-sha2-nistp256"],
  "rsassa-pss-sha256": ["rsa"],
};

const MIN_RSA_BITS = 2_048;
const P256_BYTES = 32;

/** The spec's three schemes (4.2): Ed25519, ECDSA P-256 and RSA-PSS with SHA-256. */
export async function createVerifier(options: VerifierOptions = {}): Promise<SignatureVerifier> {
  const { subtle = platformSubtle() } = options;
  const ed25519 = options.ed25519 ?? (await detectEd25519(subtle));
  return async (key, signature, message) => {
    if (!KEY_TYPES[key.scheme]?.includes(key.keyType)) return false;
    try {
      if (key.scheme === "ed25519") {
        return await ed25519.verify(decodeHex(key.public), signature, message);
      }
      if (subtle === null) return false;
      return key.scheme === "rsassa-pss-sha256"
        ? await verifyRsaPss(subtle, key.public, signature, message)
        : await verifyP256(subtle, key.public, signature, message);
    } catch {
      return false; // a key or a signature that does not decode has signed nothing
    }
  };
}

async function verifyRsaPss(
  subtle: SubtleCrypto,
  pem: string,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  const key = await subtle.importKey("spki", pemBytes(pem), { name: "RSA-PSS", hash: "SHA-256" }, false, [
    "verify",
  ]);
  if ((key.algorithm as RsaHashedKeyAlgorithm).modulusLength < MIN_RSA_BITS) return false;
  const algorithm = { name: "RSA-PSS", saltLength: 32 };
  return subtle.verify(algorithm, key, new Uint8Array(signature), new Uint8Array(message));
}

async function verifyP256(
  subtle: SubtleCrypto,
  pem: string,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await subtle.importKey("spki", pemBytes(pem), curve, false, ["verify"]);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return subtle.verify(algorithm, key, p256Signature(signature), new Uint8Array(message));
}

/** TUF signs in DER, WebCrypto wants r and s side by side (IEEE P1363). */
function p256Signature(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(2 * P256_BYTES);
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new RangeError("not a DER sequence");
  let at = 2;
  for (let half = 0; half < 2; half++) {
    const length = der[at + 1] ?? 0;
    const body = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 0x02 || length === 0 || body.length !== length || body[0]! >= 0x80) {
      throw new RangeError("not a positive DER integer");
    }
    if (body[0] === 0 && length > 1 && body[1]! < 0x80) throw new RangeError("a padded DER integer");
    const digits = body[0] === 0 ? body.subarray(1) : body;
    if (digits.length > P256_BYTES) throw new RangeError("a DER integer beyond 256 bits");
    fixed.set(digits, (half + 1) * P256_BYTES - digits.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new RangeError("trailing bytes after the DER sequence");
  return fixed;
}

function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  const body = /^-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem)?.[1];
  if (body === undefined) throw new RangeError("not a PEM public key");
  const text = atob(body.replaceAll(/\s/g, ""));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
