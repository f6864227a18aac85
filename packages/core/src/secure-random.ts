/** For keys, nonces, masks and privacy noise. Cannot be seeded and does not mix with `SeededRandom`. */
export interface SecureRandom {
  readonly kind: "secure";
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** `getRandomValues` fills at most this much at once. */
const MAX_FILL_BYTES = 65_536;

/** The platform's cryptographic generator. */
export const systemRandom: SecureRandom = {
  kind: "secure",
  bytes(length) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += MAX_FILL_BYTES) {
      crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + MAX_FILL_BYTES)));
    }
    return bytes;
  },
};
