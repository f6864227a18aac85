import { concatBytes, equalBytes, failure, systemRandom, type SecureRandom } from "@tributary/core";
import { detectEd25519, PKCS8_PREFIX, type Ed25519 } from "./ed25519.ts";
import { ed25519PublicKey, keyIdOf, type TufPublicKey } from "./public-key.ts";

/** One signing key. Implementations may hold it elsewhere: a CryptoKey, an HSM. */
export interface TufSigner {
  /** 64 hexadecimal digits. */
  readonly keyId: string;
  /** As metadata lists it. */
  readonly key: TufPublicKey;
  /** 64 bytes of Ed25519, DER of ECDSA. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface Ed25519Signer extends TufSigner {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface TufKeyOptions {
  /** Defaults to the platform's, or noble's where that has none. */
  readonly ed25519?: Ed25519;
}

const SEED_BYTES = 32;

/** A new Ed25519 key. `exported` is its PKCS #8 form (RFC 8410, 48 bytes): keep it secret, wipe it after use. */
export async function generateTufKey(
  options: TufKeyOptions & { readonly random?: SecureRandom } = {},
): Promise<{ signer: Ed25519Signer; exported: Uint8Array<ArrayBuffer> }> {
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
export async function importTufKey(
  exported: Uint8Array,
  options: TufKeyOptions = {},
): Promise<Ed25519Signer> {
  const prefix = exported.subarray(0, PKCS8_PREFIX.length);
  if (exported.length !== PKCS8_PREFIX.length + SEED_BYTES || !equalBytes(prefix, PKCS8_PREFIX)) {
    throw failure(
      "tuf/invalid-key",
      `tuf: expected an Ed25519 key in PKCS #8 form (RFC 8410, ${PKCS8_PREFIX.length + SEED_BYTES} bytes), got ${exported.length} bytes of something else`,
    );
  }
  return signerOf(exported.slice(PKCS8_PREFIX.length), options);
}

async function signerOf(seed: Uint8Array, options: TufKeyOptions): Promise<Ed25519Signer> {
  const ed25519 = options.ed25519 ?? (await detectEd25519());
  const { publicKey, sign } = await ed25519.keyPair(seed);
  const key = ed25519PublicKey(publicKey);
  return { keyId: keyIdOf(key), key, publicKey, sign };
}
