import { decodeHex, encode, encodeHex, sha256, type Codec } from "@tributary/core";
import { createInsecureTestRandom } from "@tributary/core/testing";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import {
  Advertisement,
  MaskedInput,
  nobleX25519,
  openSecAggCrypto,
  ShareBundle,
  SurvivorSignature,
  UnmaskShares,
  webCryptoX25519,
  type SecAggCrypto,
} from "../src/index.ts";
import { accept } from "./support/accept.ts";
import { TestCohort } from "./support/cohort.ts";

// In a real browser: its WebCrypto, and noble where a browser is too old for the curves.

const { subtle } = globalThis.crypto;
const platform = await openSecAggCrypto();
const withNoble: SecAggCrypto = { ...platform, x25519: await nobleX25519() };

test("this browser has the curve itself", () => {
  expect(platform.x25519.name).toBe("webcrypto");
});

test("X25519 of WebCrypto and of noble give the same keys and secrets, and refuse the same points", async () => {
  const random = createInsecureTestRandom("x25519");
  const implementations = [webCryptoX25519(subtle), await nobleX25519()];
  for (let i = 0; i < 8; i++) {
    const secrets = [random.bytes(32), random.bytes(32)] as const;
    const shared: string[] = [];
    for (const mine of implementations) {
      const key = await mine.importSecret(secrets[0]);
      for (const others of implementations) {
        const { publicKey } = await others.importSecret(secrets[1]);
        shared.push(`${encodeHex(key.publicKey)} ${encodeHex(await key.agree(publicKey))}`);
      }
    }
    expect(new Set(shared).size).toBe(1);
  }
  for (const each of implementations) {
    const key = await each.importSecret(random.bytes(32));
    await expect(key.agree(new Uint8Array(32))).rejects.toMatchObject({ code: "secagg/invalid-key" });
  }
});

test("Ed25519 of WebCrypto and of noble make the same signatures, and take each other's", async () => {
  const random = createInsecureTestRandom("ed25519");
  const prefix = decodeHex("302e020100300506032b657004220420");
  for (let i = 0; i < 4; i++) {
    const secret = random.bytes(32);
    const message = random.bytes(40 * i);
    const key = await subtle.importKey("pkcs8", Uint8Array.of(...prefix, ...secret), "Ed25519", false, [
      "sign",
    ]);
    const signature = new Uint8Array(await subtle.sign("Ed25519", key, message));
    expect(encodeHex(signature)).toBe(encodeHex(ed25519.sign(message, secret)));
    const publicKey = new Uint8Array(ed25519.getPublicKey(secret));
    const verifying = await subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    expect(await subtle.verify("Ed25519", verifying, signature, message)).toBe(true);
    expect(ed25519.verify(signature, message, publicKey)).toBe(true);
  }
});

interface Session {
  /** Digests of everything that members said. */
  readonly said: readonly string[];
  readonly sum: Uint32Array;
  readonly expected: Uint32Array;
}

/** Five members on these platforms; one is lost before it masks. The same random numbers every time. */
async function session(cryptoFor: (member: number) => SecAggCrypto): Promise<Session> {
  const random = createInsecureTestRandom("session");
  const cohort = await TestCohort.open({ clients: 5, random, cryptoFor });
  const said: string[] = [];
  const say = <T>(codec: Codec<T>, message: T): T => {
    said.push(sha256(encode(codec, message)));
    return message;
  };
  const { server, clients } = cohort;
  const everyone = cohort.members();
  const left = cohort.members([3]);
  for (const member of everyone) {
    await accept.advertisement(server, say(Advertisement, await clients[member]!.advertise(server.cohort)));
  }
  const keys = server.closeAdvertise();
  for (const member of everyone) {
    accept.shares(server, say(ShareBundle, await clients[member]!.shareKeys(keys)));
  }
  server.closeShares();
  for (const member of left) {
    accept.maskedInput(server, say(MaskedInput, await cohort.masked(member)));
  }
  const survivors = server.closeMaskedInput();
  for (const member of left) {
    await accept.signature(server, say(SurvivorSignature, await clients[member]!.signSurvivors(survivors)));
  }
  const signatures = server.closeConsistency();
  for (const member of left) {
    accept.unmaskShares(server, say(UnmaskShares, await clients[member]!.unmask(signatures)));
  }
  const { sum } = await cohort.finish();
  return { said, sum, expected: cohort.expected(left) };
}

describe("a whole session in the browser", () => {
  test("says the same bytes with either implementation, and with both in one cohort; the sum is exact", async () => {
    const sessions = [
      await session(() => platform),
      await session(() => withNoble),
      await session((member) => (member % 2 === 0 ? platform : withNoble)),
    ];
    const [first] = sessions;
    expect(first!.said).toHaveLength(22);
    for (const { said, sum, expected } of sessions) {
      expect(said).toEqual(first!.said);
      expect(sum).toEqual(expected);
    }
  });
});
