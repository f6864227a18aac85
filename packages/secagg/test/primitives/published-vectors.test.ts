import { decodeHex, encodeHex } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { hkdfSha256, nobleX25519, webCryptoX25519, type X25519 } from "../../src/index.ts";
import { openNodeSecAggCrypto } from "../../src/node.ts";
import { hasSmallOrder } from "../../src/primitives/small-order.ts";
import { publishedVectors } from "../support/data.ts";

const { subtle } = globalThis.crypto;

interface Vectors<T> {
  readonly testGroups: readonly ({ readonly tests: readonly (T & Vector)[] } & Readonly<
    Record<string, unknown>
  >)[];
}
interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly result: "valid" | "invalid" | "acceptable";
}

const x25519 = publishedVectors<Vectors<{ public: string; private: string; shared: string }>>(
  "wycheproof/x25519_test.json",
);
const gcm = publishedVectors<
  Vectors<{ key: string; iv: string; aad: string; msg: string; ct: string; tag: string }>
>("wycheproof/aes_gcm_test.json");
const hkdf = publishedVectors<
  Vectors<{ ikm: string; salt: string; info: string; size: number; okm: string }>
>("wycheproof/hkdf_sha256_test.json");

const implementations: [string, () => Promise<X25519>][] = [
  ["webcrypto", () => Promise.resolve(webCryptoX25519(subtle))],
  ["noble", nobleX25519],
  ["node", () => Promise.resolve(openNodeSecAggCrypto().x25519)],
];

const full = process.env["TRIBUTARY_TEST_FULL"] === "1";

describe.each(implementations)("X25519 by %s", (name, open) => {
  test.skipIf(x25519 === undefined)("wycheproof: shared secrets, and zero secrets refused", async () => {
    const curve = await open();
    const wrong: string[] = [];
    for (const { tests } of x25519!.testGroups) {
      for (const vector of tests) {
        // noble is slow: a quarter of the vectors and all zero secrets, unless everything is asked for.
        if (name === "noble" && !full && vector.tcId % 4 !== 0 && !/^0+$/.test(vector.shared)) continue;
        const key = await curve.importSecret(decodeHex(vector.private));
        const shared = await key.agree(decodeHex(vector.public)).then(encodeHex, () => "refused");
        const zero = /^0+$/.test(vector.shared);
        const expected = zero ? "refused" : vector.shared;
        if (shared !== expected || hasSmallOrder(decodeHex(vector.public)) !== zero)
          wrong.push(`${vector.tcId} ${vector.comment}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("RFC 7748, 6.1: public keys and the shared secret", async () => {
    const curve = await open();
    const bob = await curve.importSecret(
      decodeHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
    );
    expect(encodeHex(bob.publicKey)).toBe("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    const shared = await bob.agree(
      decodeHex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
    );
    expect(encodeHex(shared)).toBe("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  });
});

describe("WebCrypto, as this package uses it", () => {
  test.skipIf(hkdf === undefined)("wycheproof: HKDF-SHA-256", async () => {
    const wrong: string[] = [];
    for (const { tests } of hkdf!.testGroups) {
      for (const { tcId, ikm, salt, info, size, okm, result } of tests) {
        const derived = await hkdfSha256(subtle, decodeHex(ikm), decodeHex(salt), decodeHex(info), size).then(
          encodeHex,
          () => "refused",
        );
        if (derived !== (result === "invalid" ? "refused" : okm)) wrong.push(String(tcId));
      }
    }
    expect(wrong).toEqual([]);
  });

  test.skipIf(gcm === undefined)("wycheproof: AES-256-GCM with nonces of 12 bytes", async () => {
    const wrong: string[] = [];
    const groups = gcm!.testGroups.filter(({ keySize, ivSize }) => keySize === 256 && ivSize === 96);
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of groups.flatMap(({ tests }) => tests)) {
      const imported = await subtle.importKey("raw", decodeHex(key), "AES-GCM", false, ["decrypt"]);
      const opened = await subtle
        .decrypt(
          { name: "AES-GCM", iv: decodeHex(iv), additionalData: decodeHex(aad) },
          imported,
          decodeHex(ct + tag),
        )
        .then((bytes) => encodeHex(new Uint8Array(bytes)))
        .catch(() => "refused");
      if (opened !== (result === "valid" ? msg : "refused")) wrong.push(String(tcId));
    }
    expect(groups.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
