import { failure } from "@tributary/core";
import { hkdfSha256, keyInfo } from "./kdf.ts";
import { own } from "./own.ts";

/** AES-GCM appends a tag of 16 bytes. */
export const TAG_BYTES = 16;

/** Each key seals one message in its life, so the nonce may be constant. */
const NONCE = new Uint8Array(12);

/** AES-256-GCM between two members of one session: a key of its own for each direction. */
export interface ShareCipher {
  seal(plaintext: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** @throws TributaryError `secagg/invalid-share`. */
  open(ciphertext: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

/** @param secret - the X25519 secret of the two encryption keys; overwritten */
export async function shareCipher(
  subtle: SubtleCrypto,
  secret: Uint8Array<ArrayBuffer>,
  session: { readonly sessionId: Uint8Array; readonly self: number; readonly peer: number },
): Promise<ShareCipher> {
  const { sessionId, self, peer } = session;
  const [low, high] = self < peer ? [self, peer] : [peer, self];
  const keys = await hkdfSha256(subtle, secret, sessionId, keyInfo("share", low, high), 64);
  secret.fill(0);
  const upwards = keys.slice(0, 32);
  const downwards = keys.slice(32);
  keys.fill(0);
  const [sealing, opening] = self < peer ? [upwards, downwards] : [downwards, upwards];
  const sealKey = await subtle.importKey("raw", sealing, "AES-GCM", false, ["encrypt"]);
  const openKey = await subtle.importKey("raw", opening, "AES-GCM", false, ["decrypt"]);
  upwards.fill(0);
  downwards.fill(0);
  let sealed = false;
  return {
    async seal(plaintext) {
      if (sealed)
        throw failure("secagg/out-of-order", `secagg: shares for member ${peer} were sealed already`);
      sealed = true;
      return new Uint8Array(
        await subtle.encrypt(
          { name: "AES-GCM", iv: NONCE, additionalData: own(sessionId) },
          sealKey,
          plaintext,
        ),
      );
    },
    async open(ciphertext) {
      try {
        return new Uint8Array(
          await subtle.decrypt(
            { name: "AES-GCM", iv: NONCE, additionalData: own(sessionId) },
            openKey,
            own(ciphertext),
          ),
        );
      } catch (cause) {
        throw failure("secagg/invalid-share", `secagg: the share of member ${peer} does not decrypt`, {
          cause,
          detail: { member: peer },
        });
      }
    },
  };
}
