import { failure } from "@tributary/core";
import { type MaskKeys, webCryptoMaskKeys } from "./mask-keys.ts";
import { shareCiphers, webCryptoGcm, type OpenShareCipher } from "./share-cipher.ts";
import { detectX25519, type X25519 } from "./x25519.ts";

/** The platform's primitives; one object serves any number of sessions. */
export interface SecAggCrypto {
  readonly x25519: X25519;
  readonly openShareCipher: OpenShareCipher;
  readonly masks: MaskKeys;
}

/**
 * WebCrypto, with noble's X25519 where WebCrypto lacks the curve. In Node, `@tributary/secagg/node` is faster.
 *
 * @throws TributaryError `core/unsupported-platform` without WebCrypto: a page that is no secure context.
 */
export async function openSecAggCrypto(
  subtle: SubtleCrypto | null = platformSubtle(),
): Promise<SecAggCrypto> {
  if (subtle === null) {
    throw failure(
      "core/unsupported-platform",
      "secagg: WebCrypto is missing; secure aggregation needs a secure context (https or localhost)",
    );
  }
  return {
    x25519: await detectX25519(subtle),
    openShareCipher: shareCiphers(webCryptoGcm(subtle)),
    masks: webCryptoMaskKeys(subtle),
  };
}

function platformSubtle(): SubtleCrypto | null {
  return globalThis.crypto?.subtle ?? null;
}
