import { hkdfSha256 } from "./kdf.ts";

/** Makes the keys of masks, by whichever implementation the platform has. */
export interface MaskKeys {
  readonly name: "webcrypto" | "node";
  /**
   * The AES-256 key that HKDF-SHA-256 derives.
   *
   * @param secret - overwritten
   */
  derive(
    secret: Uint8Array<ArrayBuffer>,
    binding: { readonly salt: Uint8Array; readonly info: Uint8Array },
  ): Promise<MaskKey>;
}

/** A key that encrypts nothing but one mask. */
export interface MaskKey {
  /** The key stream of AES-256-CTR from counter 0; once, for two vectors under one mask tell their difference. */
  stream(): KeyStream;
}

export interface KeyStream {
  /**
   * The next bytes, which belong to the caller, in a buffer of their own.
   *
   * @param byteLength - a multiple of 16, the cipher's block, in all calls but the last
   */
  next(byteLength: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** AES-CTR of WebCrypto, which runs beside the caller. */
export function webCryptoMaskKeys(subtle: SubtleCrypto): MaskKeys {
  let zeros = new Uint8Array(0);
  return {
    name: "webcrypto",
    async derive(secret, { salt, info }) {
      const raw = await hkdfSha256(subtle, secret, salt, info, 32);
      secret.fill(0);
      const key = await subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
      raw.fill(0);
      let begun = false;
      return {
        stream() {
          if (begun) throw new TypeError("secagg: a mask's key stream is read once");
          begun = true;
          let at = 0;
          return {
            async next(byteLength) {
              if (zeros.length < byteLength) zeros = new Uint8Array(byteLength);
              const algorithm = { name: "AES-CTR", counter: counterAt(at), length: 64 };
              at += byteLength;
              return new Uint8Array(await subtle.encrypt(algorithm, key, zeros.subarray(0, byteLength)));
            },
          };
        },
      };
    },
  };
}

/** NIST SP 800-38A: the counter block of a key stream's byte, a multiple of 16. */
function counterAt(byteOffset: number): Uint8Array<ArrayBuffer> {
  const counter = new Uint8Array(16);
  new DataView(counter.buffer).setUint32(12, byteOffset / 16);
  return counter;
}
