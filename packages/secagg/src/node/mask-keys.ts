import { createCipheriv, hkdfSync } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { MaskKeys } from "../primitives/mask-keys.ts";

/** Key stream between two turns of the event loop: some ten milliseconds. */
const BYTES_PER_TURN = 16 * 1024 * 1024;

/**
 * AES-CTR of `node:crypto`, on the calling thread: a third of the time of WebCrypto's, whose jobs go through a thread
 * pool and are copied twice.
 */
export function nodeMaskKeys(): MaskKeys {
  let zeros = new Uint8Array(0);
  let sinceTurn = 0;
  return {
    name: "node",
    async derive(secret, { salt, info }) {
      const raw = new Uint8Array(hkdfSync("sha256", secret, salt, info, 32));
      secret.fill(0);
      let begun = false;
      return {
        stream() {
          if (begun) throw new TypeError("secagg: a mask's key stream is read once");
          begun = true;
          const cipher = createCipheriv("aes-256-ctr", raw, new Uint8Array(16));
          raw.fill(0);
          return {
            async next(byteLength) {
              if (zeros.length < byteLength) zeros = new Uint8Array(byteLength);
              sinceTurn += byteLength;
              if (sinceTurn >= BYTES_PER_TURN) {
                sinceTurn = 0;
                await setImmediate();
              }
              return cipher.update(zeros.subarray(0, byteLength));
            },
          };
        },
      };
    },
  };
}
