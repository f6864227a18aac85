import {
  concatBytes,
  createSha256,
  decodeHex,
  encode,
  encodeUtf8,
  type Digest,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import { CohortList, KeyList, type Advertisement } from "./messages.ts";

/** What a session is about. Each member takes it from verified metadata, never from the coordinator's word. */
export interface SessionBinding {
  readonly task: TaskName;
  readonly round: RoundId;
  readonly plan: Digest;
  readonly baseWeights: Digest;
  readonly encoding: Digest;
}

/** SHA-256 over a purpose and length-prefixed parts: no two lists of parts give the same input. */
function hashOf(purpose: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createSha256();
  for (const part of [encodeUtf8(`tributary-secagg-${purpose}-v1`), ...parts]) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length);
    hash.update(length);
    hash.update(part);
  }
  return decodeHex(hash.digest());
}

/** What *ready* carries; the nonce has 32 bytes. */
export function commitmentOf(nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  return hashOf("nonce", nonce);
}

/** Hash of b_u, for the server's check of what it reconstructed. */
export function seedCommitmentOf(sessionId: Uint8Array, member: number, seed: Uint8Array): Uint8Array {
  return hashOf("seed", sessionId, u16Bytes(member), seed);
}

export function listDigestOf(list: CohortList): Uint8Array<ArrayBuffer> {
  return hashOf("cohort-list", encode(CohortList, list));
}

/** Everything but the session keys: what advertisements are signed for. */
export function cohortIdOf(binding: SessionBinding, listDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  return hashOf(
    "cohort",
    encodeUtf8(binding.task),
    encodeUtf8(binding.round),
    decodeHex(binding.plan),
    decodeHex(binding.baseWeights),
    decodeHex(binding.encoding),
    listDigest,
  );
}

/** Task, round, plan, base weights, encoding, members and all their keys. It goes into every mask's seed. */
export function sessionIdOf(cohortId: Uint8Array, keys: KeyList): Uint8Array<ArrayBuffer> {
  return hashOf("session", cohortId, encode(KeyList, keys));
}

/** The graph's seed: H(list digest, all revealed nonces). Nobody knew the nonces of all when the list was fixed. */
export function graphSeedOf(
  listDigest: Uint8Array,
  advertisements: readonly Advertisement[],
): Uint8Array<ArrayBuffer> {
  const parts = advertisements.map(({ member, nonce }) => concatBytes(u16Bytes(member), nonce));
  return hashOf("graph", listDigest, ...parts);
}

/** What the identity key signs in round 0. */
export function advertisementMessage(
  cohortId: Uint8Array,
  advertisement: Omit<Advertisement, "signature">,
): Uint8Array<ArrayBuffer> {
  const { member, nonce, encryptionKey, maskKey } = advertisement;
  return hashOf("advertise", cohortId, u16Bytes(member), nonce, encryptionKey, maskKey);
}

/** What the identity key signs in round 3: H(session id, bitmap of U3 over the whole cohort). */
export function survivorsMessage(sessionId: Uint8Array, survivors: Uint8Array): Uint8Array<ArrayBuffer> {
  return hashOf("survivors", sessionId, survivors);
}

function u16Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
