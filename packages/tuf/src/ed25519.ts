import { decodeBase64url, decodeHex, equalBytes, failure } from "@tributary/core";

/** Ed25519 (RFC 8032) by whichever implementation the platform has. */
export interface Ed25519 {
  readonly name: "webcrypto" | "noble" | "node";
  /** False for anything that is not a valid signature; never throws for bad input bytes. */
  verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean>;
  /** The key pair of a 32-byte seed. */
  keyPair(seed: Uint8Array): Promise<Ed25519KeyPair>;
}

export interface Ed25519KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** 64 bytes. */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>;
}

const SEED_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** RFC 8410: the PKCS #8 wrapping of an Ed25519 seed, which follows it. */
export const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");

/** Ed25519 of WebCrypto: Chrome 137, Firefox 130, Safari 17, Node 20. */
export function webCryptoEd25519(subtle: SubtleCrypto): Ed25519 {
  return {
    name: "webcrypto",
    async verify(publicKey, signature, message) {
      if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
      try {
        const key = await subtle.importKey("raw", own(publicKey), "Ed25519", false, ["verify"]);
        return await subtle.verify("Ed25519", key, own(signature), own(message));
      } catch {
        return false; // not a point on the curve
      }
    },
    async keyPair(seed) {
      requireSeed(seed);
      const pkcs8 = new Uint8Array(PKCS8_PREFIX.length + SEED_BYTES);
      pkcs8.set(PKCS8_PREFIX);
      pkcs8.set(seed, PKCS8_PREFIX.length);
      // WebCrypto derives the public key only on export, so the key is imported twice: the one that stays cannot be exported.
      const exportable = await subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
      const { x } = await subtle.exportKey("jwk", exportable);
      const key = await subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
      pkcs8.fill(0);
      if (x === undefined) throw failure("tuf/invalid-key", "tuf: WebCrypto exported no public key");
      return {
        publicKey: decodeBase64url(x),
        sign: async (message) => new Uint8Array(await subtle.sign("Ed25519", key, own(message))),
      };
    },
  };
}

/** Ed25519 of `@noble/curves`, loaded only when it is used. */
export async function nobleEd25519(): Promise<Ed25519> {
  const { ed25519 } = await import("@noble/curves/ed25519.js");
  return {
    name: "noble",
    verify(publicKey, signature, message) {
      if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
        return Promise.resolve(false);
      }
      try {
        // RFC 8032 rules, as WebCrypto has them; noble's default (ZIP 215) accepts more encodings.
        return Promise.resolve(ed25519.verify(signature, message, publicKey, { zip215: false }));
      } catch {
        return Promise.resolve(false);
      }
    },
    keyPair(seed) {
      requireSeed(seed);
      const secret = own(seed);
      return Promise.resolve({
        publicKey: own(ed25519.getPublicKey(secret)),
        sign: (message) => Promise.resolve(own(ed25519.sign(message, secret))),
      });
    },
  };
}

/**
 * WebCrypto where it really verifies Ed25519, noble elsewhere.
 *
 * @param subtle - null to do without. Pages that are no secure context have none.
 */
export async function detectEd25519(subtle = platformSubtle()): Promise<Ed25519> {
  if (subtle !== null) {
    const candidate = webCryptoEd25519(subtle);
    if (await passesKnownAnswer(candidate)) return candidate;
  }
  return nobleEd25519();
}

/** The platform's WebCrypto, or null. */
export function platformSubtle(): SubtleCrypto | null {
  return globalThis.crypto?.subtle ?? null;
}

/** RFC 8032 §7.1, test 2: signs, verifies, and refuses the signature of another message. */
export async function passesKnownAnswer(candidate: Ed25519): Promise<boolean> {
  try {
    const seed = decodeHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const signature = decodeHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    const { publicKey, sign } = await candidate.keyPair(seed);
    const signed = await sign(Uint8Array.of(0x72));
    return (
      equalBytes(signed, signature) &&
      (await candidate.verify(publicKey, signature, Uint8Array.of(0x72))) &&
      !(await candidate.verify(publicKey, signature, Uint8Array.of(0x73)))
    );
  } catch {
    return false;
  }
}

function requireSeed(seed: Uint8Array): void {
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(`tuf: an Ed25519 seed has ${SEED_BYTES} bytes, got ${seed.length}`);
  }
}

/** WebCrypto takes no views of shared memory. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
