import { failure } from "@tributary/core";
import { hkdfSha256, keyInfo } from "./kdf.ts";
import { own } from "./own.ts";

/** AES-GCM appends a tag of 16 bytes. */
export const TAG_BYTES = 16;

/** Each key seals one message in its life, so the nonce may be constant. */
const NONCE = new Uint8Array(12);

/** AES-256-GCM between two members of one session: a key of its own for each direction (NIST SP 800-38D). */
export interface ShareCipher {
  seal(plaintext: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** @throws TributaryError `secagg/invalid-share`. */
  open(ciphertext: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

/** Opens the cipher of a member and its peer. `secret`: of their two encryption keys by X25519; overwritten. */
export type OpenShareCipher = (
  secret: Uint8Array<ArrayBuffer>,
  session: { readonly sessionId: Uint8Array; readonly self: number; readonly peer: number },
) => Promise<ShareCipher>;

/** Encrypts or decrypts one message under a key that is inside; the ciphertext ends with its tag. */
export type GcmOperation = (message: {
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly additionalData: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}) => Promise<Uint8Array<ArrayBuffer>>;

/** A platform's AES-256-GCM. */
export interface Gcm {
  /** 64 bytes by HKDF-SHA-256. */
  derive(
    secret: Uint8Array<ArrayBuffer>,
    salt: Uint8Array,
    info: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** @param key - copied; decryption rejects where the tag does not fit */
  open(usage: "encrypt" | "decrypt", key: Uint8Array<ArrayBuffer>): Promise<GcmOperation>;
}

/** AES-GCM of WebCrypto. */
export function webCryptoGcm(subtle: SubtleCrypto): Gcm {
  return {
    derive: (secret, salt, info) => hkdfSha256(subtle, secret, salt, info, 64),
    async open(usage, raw) {
      const key = await subtle.importKey("raw", raw, "AES-GCM", false, [usage]);
      return async ({ nonce, additionalData, bytes }) =>
        new Uint8Array(await subtle[usage]({ name: "AES-GCM", iv: nonce, additionalData }, key, bytes));
    },
  };
}

/** Share ciphers on a platform's AES-GCM. */
export function shareCiphers(gcm: Gcm): OpenShareCipher {
  return async (secret, { sessionId, self, peer }) => {
    const [low, high] = self < peer ? [self, peer] : [peer, self];
    const keys = await gcm.derive(secret, sessionId, keyInfo("share", low, high));
    secret.fill(0);
    const upwards = keys.slice(0, 32);
    const downwards = keys.slice(32);
    keys.fill(0);
    const [sealing, opening] = self < peer ? [upwards, downwards] : [downwards, upwards];
    const encrypt = await gcm.open("encrypt", sealing);
    const decrypt = await gcm.open("decrypt", opening);
    upwards.fill(0);
    downwards.fill(0);
    const additionalData = own(sessionId);
    let sealed = false;
    return {
      async seal(bytes) {
        if (sealed)
          throw failure("secagg/out-of-order", `secagg: shares for member ${peer} were sealed already`);
        sealed = true;
        return encrypt({ nonce: NONCE, additionalData, bytes });
      },
      async open(ciphertext) {
        try {
          return await decrypt({ nonce: NONCE, additionalData, bytes: own(ciphertext) });
        } catch (cause) {
          throw failure("secagg/invalid-share", `secagg: the share of member ${peer} does not decrypt`, {
            cause,
            detail: { member: peer },
          });
        }
      },
    };
  };
}
