import { decodeHex } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { detectEd25519, nobleEd25519, webCryptoEd25519, type Ed25519 } from "../src/index.ts";
import { platformEd25519 } from "../src/platform-ed25519/node.ts";
import { publishedData } from "./published-data.ts";

const read = publishedData("wycheproof");
const subtle = globalThis.crypto.subtle;
const implementations: [string, () => Promise<Ed25519>][] = [
  ["webcrypto", () => Promise.resolve(webCryptoEd25519(subtle))],
  ["noble", nobleEd25519],
  ["node", platformEd25519],
];

interface Wycheproof {
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; comment: string; msg: string; sig: string; result: "valid" | "invalid" }[];
  }[];
}

test("Node verifies by its own signatures, and leaves large messages to WebCrypto", async () => {
  const ed25519 = await platformEd25519();
  expect(ed25519.name).toBe("node");
  const { publicKey, sign } = await ed25519.keyPair(new Uint8Array(32).fill(1));
  for (const length of [64 * 1024, 64 * 1024 + 1]) {
    const message = new Uint8Array(length).fill(2);
    const signature = await sign(message);
    expect(await ed25519.verify(publicKey, signature, message)).toBe(true);
    expect(await ed25519.verify(publicKey, signature, message.fill(3))).toBe(false);
  }
  // Who does without WebCrypto does without Node's too.
  expect((await platformEd25519(null)).name).toBe("noble");
});

describe.each(implementations)("Ed25519 by %s", (_name, open) => {
  test("RFC 8032, 7.1, test 1: signs and verifies the empty message", async () => {
    const ed25519 = await open();
    const pair = await ed25519.keyPair(
      decodeHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    );
    expect(pair.publicKey).toEqual(
      decodeHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    );
    const signature = await pair.sign(new Uint8Array(0));
    expect(signature).toEqual(
      decodeHex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      ),
    );
    expect(await ed25519.verify(pair.publicKey, signature, new Uint8Array(0))).toBe(true);
    expect(await ed25519.verify(pair.publicKey, signature, Uint8Array.of(0))).toBe(false);
  });

  test("bytes of the wrong length verify nothing, and a wrong seed is a RangeError", async () => {
    const ed25519 = await open();
    expect(await ed25519.verify(new Uint8Array(31), new Uint8Array(64), new Uint8Array(0))).toBe(false);
    expect(await ed25519.verify(new Uint8Array(32), new Uint8Array(63), new Uint8Array(0))).toBe(false);
    await expect(async () => ed25519.keyPair(new Uint8Array(31))).rejects.toThrow(RangeError);
  });

  test.skipIf(read === undefined)("wycheproof: every vector is decided as published", async () => {
    const ed25519 = await open();
    const { testGroups } = JSON.parse(new TextDecoder().decode(read!("ed25519_test.json"))) as Wycheproof;
    const wrong: string[] = [];
    let count = 0;
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, comment, msg, sig, result } of tests) {
        const valid = await ed25519.verify(decodeHex(publicKey.pk), decodeHex(sig), decodeHex(msg));
        if (valid !== (result === "valid")) wrong.push(`${tcId} ${comment}: expected ${result}`);
        count++;
      }
    }
    expect(wrong).toEqual([]);
    expect(count).toBe(151);
  });
});

describe("detectEd25519", () => {
  test("takes WebCrypto where it passes the known answer", async () => {
    expect((await detectEd25519()).name).toBe("webcrypto");
  });

  test("takes noble where there is no WebCrypto, where it knows no Ed25519, and where it accepts anything", async () => {
    const broken = (changes: Partial<SubtleCrypto>): SubtleCrypto =>
      new Proxy(subtle, {
        get: (target, name: keyof SubtleCrypto) =>
          changes[name] ?? (target[name] as () => unknown).bind(target),
      });
    expect((await detectEd25519(null)).name).toBe("noble");
    const unknown = () => Promise.reject(new DOMException("Unrecognized name", "NotSupportedError"));
    expect((await detectEd25519(broken({ importKey: unknown }))).name).toBe("noble");
    expect((await detectEd25519(broken({ verify: () => Promise.resolve(true) }))).name).toBe("noble");
  });
});
