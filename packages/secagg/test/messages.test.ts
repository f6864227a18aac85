import { decode, encode, systemRandom, type Codec } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import {
  Advertisement,
  CohortList,
  KeyList,
  MaskedInput,
  ShareBundle,
  ShareInbox,
  SharePair,
  SignatureList,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
} from "../src/index.ts";

const bytes = (length: number): Uint8Array => systemRandom.bytes(length);
const advertisement: Advertisement = {
  member: 3,
  nonce: bytes(32),
  encryptionKey: bytes(32),
  maskKey: bytes(32),
  signature: bytes(64),
};
const head = { sessionId: bytes(32), member: 258 };
const revealed = [{ of: 1, share: bytes(33) }];

/** Comes back, and every truncation is named. */
function roundTrip<T>(codec: Codec<T>, value: T): () => void {
  return () => {
    const encoded = encode(codec, value);
    expect(decode(codec, encoded)).toEqual(value);
    for (let length = 0; length < encoded.length; length++)
      expect(codeOf(() => decode(codec, encoded.subarray(0, length)))).toBe("codec/truncated");
    expect(codeOf(() => decode(codec, Uint8Array.of(...encoded, 0)))).toBe("codec/trailing-bytes");
  };
}

const messages: readonly (readonly [string, () => void])[] = [
  [
    "CohortList",
    roundTrip(CohortList, {
      members: [{ certificate: bytes(200), commitment: bytes(32) }],
      membershipProof: bytes(300),
    }),
  ],
  ["Advertisement", roundTrip(Advertisement, advertisement)],
  ["KeyList", roundTrip(KeyList, { advertisements: [advertisement] })],
  ["SharePair", roundTrip(SharePair, { from: 1, to: 2, keyShare: bytes(33), seedShare: bytes(33) })],
  [
    "ShareBundle",
    roundTrip(ShareBundle, {
      ...head,
      seedCommitment: bytes(32),
      shares: [{ to: 2, ciphertext: bytes(86) }],
    }),
  ],
  ["ShareInbox", roundTrip(ShareInbox, { sharers: bytes(3), shares: [{ from: 2, ciphertext: bytes(86) }] })],
  ["MaskedInput", roundTrip(MaskedInput, { ...head, vector: bytes(40) })],
  ["Survivors", roundTrip(Survivors, { survivors: bytes(3), dropouts: bytes(3) })],
  ["SurvivorSignature", roundTrip(SurvivorSignature, { ...head, signature: bytes(64) })],
  ["SignatureList", roundTrip(SignatureList, { signatures: [{ member: 1, signature: bytes(64) }] })],
  ["UnmaskShares", roundTrip(UnmaskShares, { ...head, seedShares: revealed, keyShares: revealed })],
];

describe("messages", () => {
  test.each(messages)("%s comes back, and every truncation is named", (_name, check) => check());
});
