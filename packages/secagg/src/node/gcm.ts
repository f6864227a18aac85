import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from "node:crypto";
import { concatBytes } from "@tributary/core";
import { TAG_BYTES, type Gcm } from "../primitives/share-cipher.ts";

const ALGORITHM = "aes-256-gcm";

/** AES-GCM of `node:crypto`, on the calling thread: shares are small, and a job of a pool costs more than they do. */
export const nodeGcm: Gcm = {
  async derive(secret, salt, info) {
    return new Uint8Array(hkdfSync("sha256", secret, salt, info, 64));
  },
  async open(usage, raw) {
    const key = createSecretKey(raw);
    if (usage === "encrypt") {
      return async ({ nonce, additionalData, bytes }) => {
        const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(additionalData);
        return concatBytes(cipher.update(bytes), cipher.final(), cipher.getAuthTag());
      };
    }
    return async ({ nonce, additionalData, bytes }) => {
      const end = bytes.length - TAG_BYTES;
      if (end < 0) throw new RangeError(`secagg: ${bytes.length} bytes are shorter than a tag`);
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
        .setAAD(additionalData)
        .setAuthTag(bytes.subarray(end));
      return concatBytes(decipher.update(bytes.subarray(0, end)), decipher.final());
    };
  },
};
