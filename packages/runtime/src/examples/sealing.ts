/** Sealing what a device keeps of a person: AES-256-GCM by WebCrypto (NIST SP 800-38D). */
import { concatBytes, encodeUtf8, failure, type SecureRandom } from "@tributary/core";
import type { DeviceStore } from "../store/device-store.ts";

export interface Sealing {
  /** @param context - what it is; it is opened as nothing else */
  seal(context: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** @throws `store/corrupt` where it was changed, is something else, or its key is gone */
  open(context: string, sealed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}

const FORMAT = 1;
/** 96 random bits: with at most 2^32 seals under a key no two are equal, but for a chance of 2^-32 (SP 800-38D, 8.3). */
const NONCE_BYTES = 12;
const HEAD_BYTES = 1 + NONCE_BYTES;

/** The key is asked of the store each time: another tab may have erased it. The first seal makes one. */
export function createSealing(
  store: Pick<DeviceStore, "examplesKey" | "needsExtractableKeys">,
  random: SecureRandom,
): Sealing {
  const keyToSeal = async (): Promise<CryptoKey> =>
    (await store.examplesKey.read()) ??
    (await store.examplesKey.keep(
      await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, store.needsExtractableKeys, [
        "encrypt",
        "decrypt",
      ]),
    ));
  const algorithm = (context: string, iv: Uint8Array<ArrayBuffer>) => ({
    name: "AES-GCM",
    iv,
    additionalData: encodeUtf8(`tributary sealed v${FORMAT}\0${context}`),
  });

  return {
    async seal(context, bytes) {
      const nonce = random.bytes(NONCE_BYTES);
      const sealed = await crypto.subtle.encrypt(algorithm(context, nonce), await keyToSeal(), bytes);
      return concatBytes(Uint8Array.of(FORMAT), nonce, new Uint8Array(sealed));
    },
    async open(context, sealed) {
      const key = await store.examplesKey.read();
      if (key === undefined || sealed[0] !== FORMAT || sealed.length < HEAD_BYTES) throw unreadable(context);
      try {
        const nonce = sealed.slice(1, HEAD_BYTES);
        return new Uint8Array(
          await crypto.subtle.decrypt(algorithm(context, nonce), key, sealed.subarray(HEAD_BYTES)),
        );
      } catch (cause) {
        throw unreadable(context, cause);
      }
    },
  };
}

function unreadable(context: string, cause?: unknown): Error {
  return failure(
    "store/corrupt",
    `store: ${context} cannot be opened: it was changed, or its key is gone; erase it and begin anew`,
    { detail: { context }, ...(cause === undefined ? {} : { cause }) },
  );
}
