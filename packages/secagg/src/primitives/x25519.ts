import { concatBytes, decodeHex, encodeHex, failure } from "@tributary/core";
import { own } from "./own.ts";

/** X25519 (RFC 7748) by whichever implementation the platform has. */
export interface X25519 {
  readonly name: "webcrypto" | "noble" | "node";
  /** The key of 32 secret bytes; they are copied. */
  importSecret(secret: Uint8Array): Promise<AgreementKey>;
}

/** One side of a key agreement; the secret is inside. */
export interface AgreementKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /**
   * The shared secret with a peer, 32 bytes.
   *
   * @throws TributaryError `secagg/invalid-key` for points of small order, which would make the secret public.
   */
  agree(peerPublicKey: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

export const X25519_BYTES = 32;

/** RFC 8410: the PKCS #8 wrapping of an X25519 secret, which follows it. */
export const PKCS8_PREFIX = decodeHex("302e020100300506032b656e04220420");

/** RFC 7748 §4.1: the base point, u = 9. */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/** X25519 of WebCrypto: Chrome 133, Firefox 130, Safari 17, Node 20. */
export function webCryptoX25519(subtle: SubtleCrypto): X25519 {
  return {
    name: "webcrypto",
    async importSecret(secret) {
      requireKeyBytes("secret", secret);
      const pkcs8 = concatBytes(PKCS8_PREFIX, secret);
      const key = await subtle.importKey("pkcs8", pkcs8, "X25519", false, ["deriveBits"]);
      pkcs8.fill(0);
      const agree = async (peer: Uint8Array): Promise<Uint8Array<ArrayBuffer>> => {
        requireKeyBytes("public key", peer);
        try {
          const publicKey = await subtle.importKey("raw", own(peer), "X25519", false, []);
          const bits = await subtle.deriveBits({ name: "X25519", public: publicKey }, key, 256);
          return requireNonZero(new Uint8Array(bits));
        } catch (cause) {
          throw smallOrder(cause);
        }
      };
      return { publicKey: await agree(BASE_POINT), agree };
    },
  };
}

/** X25519 of `@noble/curves`, loaded only when it is used. */
export async function nobleX25519(): Promise<X25519> {
  const { x25519 } = await import("@noble/curves/ed25519.js");
  return {
    name: "noble",
    importSecret(secret) {
      requireKeyBytes("secret", secret);
      const key = own(secret);
      return Promise.resolve({
        publicKey: own(x25519.getPublicKey(key)),
        agree: async (peer) => {
          requireKeyBytes("public key", peer);
          await Promise.resolve();
          try {
            return requireNonZero(own(x25519.getSharedSecret(key, peer)));
          } catch (cause) {
            throw smallOrder(cause);
          }
        },
      });
    },
  };
}

/**
 * WebCrypto where it really agrees on keys, noble elsewhere.
 *
 * @param subtle - null to do without
 */
export async function detectX25519(subtle: SubtleCrypto | null): Promise<X25519> {
  if (subtle !== null) {
    const candidate = webCryptoX25519(subtle);
    if (await passesKnownAnswer(candidate)) return candidate;
  }
  return nobleX25519();
}

/** RFC 7748 §6.1: both public keys and the shared secret. */
async function passesKnownAnswer(candidate: X25519): Promise<boolean> {
  try {
    const alice = await candidate.importSecret(
      decodeHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
    );
    const shared = await alice.agree(
      decodeHex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
    );
    return (
      encodeHex(alice.publicKey) === "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a" &&
      encodeHex(shared) === "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    );
  } catch {
    return false;
  }
}

export function requireKeyBytes(name: string, bytes: Uint8Array): void {
  if (bytes.length !== X25519_BYTES) {
    throw new RangeError(`secagg: an X25519 ${name} has ${X25519_BYTES} bytes, got ${bytes.length}`);
  }
}

/** RFC 7748 §6.1: the all-zero value must be refused. */
export function requireNonZero(shared: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let bits = 0;
  for (const byte of shared) bits |= byte;
  if (bits === 0) throw new RangeError("the shared secret is zero");
  return shared;
}

export function smallOrder(cause: unknown): Error {
  return failure("secagg/invalid-key", "secagg: the peer's X25519 key has small order or is malformed", {
    cause,
  });
}
