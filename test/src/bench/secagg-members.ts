import { randomInt } from "node:crypto";
import { asPopulationName, encodeHex, systemRandom, type Digest } from "@tributary/core";
import {
  batchRanges,
  encodeMembershipProof,
  issueCertificate,
  leafHash,
  nodeHash,
  verifyMembership,
  type Sign,
  type TreeHash,
  type VerifyMember,
} from "@tributary/protocol";
import type { VerifiedIdentity } from "@tributary/secagg";

const { subtle } = globalThis.crypto;

/** A member of a cohort, with what the others see of it. */
export interface Peer {
  readonly certificate: Uint8Array;
  readonly sign: Sign;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly maskSecret: Uint8Array<ArrayBuffer>;
  readonly seed: Uint8Array<ArrayBuffer>;
}

/** Who could form a cohort, with certificates as an issuer makes them, in a log that has others too. */
export interface Members {
  readonly peers: readonly Peer[];
  /** As a device checks a cohort's certificate. */
  readonly identify: (verify: VerifyMember) => (certificate: Uint8Array) => Promise<VerifiedIdentity>;
  readonly membershipProof: Uint8Array<ArrayBuffer>;
  /** As a device checks that all stand in the log. */
  readonly requireLogged: () => void;
}

/** Entries of the log: a power of two, so that each of its subtrees is full. */
const LOG_LEVELS = 13;
const POPULATION = asPopulationName("bench");
const DAY_MS = 86_400_000;

export async function createMembers(count: number): Promise<Members> {
  const issuer = await createSigner();
  const nowMs = Date.now();
  const peers: Peer[] = [];
  for (let i = 0; i < count; i++) {
    const { publicKey, sign } = await createSigner();
    const certificate = await issueCertificate(issuer.sign, {
      population: POPULATION,
      publicKey,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + DAY_MS,
      serial: systemRandom.bytes(16),
    });
    const [nonce, maskSecret, seed] = [0, 1, 2].map(() => systemRandom.bytes(32));
    peers.push({ certificate, sign, nonce: nonce!, maskSecret: maskSecret!, seed: seed! });
  }
  const certificates = peers.map(({ certificate }) => certificate);
  const membershipProof = proveMembership(certificates);
  return {
    peers,
    identify: (verify) => (certificate) =>
      verify(certificate, { issuerPublicKey: issuer.publicKey, population: POPULATION, nowMs }),
    membershipProof,
    requireLogged: () => void verifyMembership(membershipProof, certificates),
  };
}

async function createSigner(): Promise<{ readonly publicKey: Uint8Array; readonly sign: Sign }> {
  const keys = (await subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await subtle.exportKey("raw", keys.publicKey)),
    sign: async (message) => new Uint8Array(await subtle.sign("Ed25519", keys.privateKey, message)),
  };
}

/** The members stand anywhere among others, of whose certificates only the hashes matter. */
function proveMembership(certificates: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const treeSize = 2 ** LOG_LEVELS;
  const places = new Set<number>();
  while (places.size < certificates.length) places.add(randomInt(treeSize));
  const indices = [...places];
  const leaves = Array.from({ length: treeSize }, (): TreeHash => systemRandom.bytes(32));
  for (const [member, index] of indices.entries()) leaves[index] = leafHash(certificates[member]!);
  const levels = [leaves];
  for (let level = 1; level <= LOG_LEVELS; level++) {
    const below = levels[level - 1]!;
    levels.push(
      Array.from({ length: below.length / 2 }, (_, i) => nodeHash(below[2 * i]!, below[2 * i + 1]!)),
    );
  }
  const ascending = indices.toSorted((a, b) => a - b);
  const hashes = batchRanges(ascending, treeSize).map(
    ({ start, end }) => levels[Math.log2(end - start)]![start / (end - start)]!,
  );
  return encodeMembershipProof({
    treeSize,
    rootHash: encodeHex(levels[LOG_LEVELS]![0]!) as Digest,
    indices,
    hashes,
  });
}
