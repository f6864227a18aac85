import {
  concatBytes,
  encodeHex,
  equalBytes,
  failure,
  sha256,
  systemRandom,
  type SecureRandom,
} from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import { detectEd25519, PKCS8_PREFIX, type Ed25519 } from "./ed25519.ts";
import type { JsonObject } from "./json.ts";

/** One Ed25519 signing key. Implementations may hold it elsewhere: a CryptoKey, an HSM. */
export interface TufSigner {
  /** 64 hexadecimal digits. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface TufKeyOptions {
  /** Defaults to the platform's, or noble's where that has none. */
  readonly ed25519?: Ed25519;
}

const SEED_BYTES = 32;

/** A new key. `exported` is its PKCS #8 form (RFC 8410, 48 bytes): keep it secret, wipe it after use. */
export async function generateTufKey(
  options: TufKeyOptions & { readonly random?: SecureRandom } = {},
): Promise<{ signer: TufSigner; exported: Uint8Array<ArrayBuffer> }> {
  const seed = (options.random ?? systemRandom).bytes(SEED_BYTES);
  const exported = concatBytes(PKCS8_PREFIX, seed);
  const signer = await signerOf(seed, options);
  seed.fill(0);
  return { signer, exported };
}

/**
 * The key of {@linkcode generateTufKey}'s export.
 *
 * @throws TributaryError `tuf/invalid-key`.
 */
export async function importTufKey(exported: Uint8Array, options: TufKeyOptions = {}): Promise<TufSigner> {
  const prefix = exported.subarray(0, PKCS8_PREFIX.length);
  if (exported.length !== PKCS8_PREFIX.length + SEED_BYTES || !equalBytes(prefix, PKCS8_PREFIX)) {
    throw failure(
      "tuf/invalid-key",
      `tuf: expected an Ed25519 key in PKCS #8 form (RFC 8410, ${PKCS8_PREFIX.length + SEED_BYTES} bytes), got ${exported.length} bytes of something else`,
    );
  }
  return signerOf(exported.slice(PKCS8_PREFIX.length), options);
}

async function signerOf(seed: Uint8Array, options: TufKeyOptions): Promise<TufSigner> {
  const ed25519 = options.ed25519 ?? (await detectEd25519());
  const { publicKey, sign } = await ed25519.keyPair(seed);
  return { keyId: keyIdOf(publicKey), publicKey, sign };
}

/** An Ed25519 public key as metadata lists it. */
export function keyJson(publicKey: Uint8Array): JsonObject {
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: encodeHex(publicKey) } };
}

/** Spec 4.2: the SHA-256 of the key's canonical form. */
export function keyIdOf(publicKey: Uint8Array): string {
  return sha256(canonicalJson(keyJson(publicKey)));
}
