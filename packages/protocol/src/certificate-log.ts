import {
  encodeHex,
  equalBytes,
  decode,
  decodeHex,
  encode,
  failure,
  fixedBytes,
  list,
  struct,
  u32,
  type Codec,
  type Digest,
} from "@tributary/core";
import Type, { type Static } from "typebox";
import { Check } from "typebox/value";
import type { AuditHead } from "./audit-log.ts";
import { isConsistent, leafHash, rootOfBatch } from "./merkle-tree.ts";
import { DigestSchema, readonlyArray } from "./schema.ts";

// The log of certificates: a Merkle tree whose leaves are certificates as issued, in the order in which they were first presented.

const TreeSize = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, description: "Certificates in the log" });

/** A state of the log: its size and its root. */
export const LogHead = Type.Object({ treeSize: TreeSize, rootHash: DigestSchema });
export type LogHead = Static<typeof LogHead>;

/** Of the timestamp metadata: `custom` holds the head of the log as it was signed. */
const TimestampCustom = Type.Object({ certificateLog: LogHead });

/** The heads of the logs, as a timestamp's `custom` field holds them. */
export function timestampCustom(
  certificateLog: LogHead,
  auditLog: AuditHead,
): { readonly certificateLog: LogHead; readonly auditLog: AuditHead } {
  return { certificateLog, auditLog };
}

/** The log's head in the `custom` field of verified timestamp metadata; undefined where there is none. */
export function logHeadOf(custom: unknown): LogHead | undefined {
  return Check(TimestampCustom, custom) ? custom.certificateLog : undefined;
}

/** `GET /v1/certificate-log` */
export const CertificateLogView = Type.Object({
  head: LogHead,
  /** What devices trust: the head in the newest signed timestamp. It follows within about a second. */
  signed: Type.Object({ ...LogHead.properties, timestampVersion: Type.Integer({ minimum: 1 }) }),
});
export type CertificateLogView = Static<typeof CertificateLogView>;

/** Query of `GET /v1/certificate-log/entries` */
export const LogEntriesQuery = Type.Object({
  start: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, default: 0 }),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 1000 }),
});

/** Certificates in order, from `start`. */
export const LogEntries = Type.Object({
  start: TreeSize,
  /** Compact JWTs. */
  certificates: readonlyArray(Type.String({ maxLength: 1024 })),
});
export type LogEntries = Static<typeof LogEntries>;

/** Query of `GET /v1/certificate-log/inclusion` */
export const LogInclusionQuery = Type.Object({
  leafHash: Type.Unsafe<Digest>({ ...DigestSchema, description: "SHA-256 of 0x00 and the certificate" }),
  treeSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 })),
});

const LogPath = readonlyArray(DigestSchema, { maxItems: 64 });

/** RFC 9162, 2.1.3: hashes from the leaf up. */
export const LogInclusion = Type.Object({ index: TreeSize, treeSize: TreeSize, path: LogPath });
export type LogInclusion = Static<typeof LogInclusion>;

/** Query of `GET /v1/certificate-log/consistency` */
export const LogConsistencyQuery = Type.Object({
  first: Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 }),
  second: Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 }),
});

/** RFC 9162, 2.1.4: hashes from the old tree's last full subtree up. */
export const LogConsistency = Type.Object({ path: LogPath });
export type LogConsistency = Static<typeof LogConsistency>;

export function logConsistencyPath(first: number, second: number): string {
  return `/v1/certificate-log/consistency?first=${first}&second=${second}`;
}

/**
 * That one head continues another.
 *
 * @throws identity/log-shrunk, identity/log-forked
 */
export function requireLogContinues(
  before: LogHead,
  after: LogHead,
  path: readonly (Uint8Array | string)[],
): void {
  const detail = { before: before.treeSize, after: after.treeSize };
  if (after.treeSize < before.treeSize) {
    throw failure(
      "identity/log-shrunk",
      `identity: the certificate log had ${before.treeSize} entries and now has ${after.treeSize}`,
      { detail },
    );
  }
  const tree = ({ treeSize, rootHash }: LogHead) => ({ size: treeSize, rootHash: decodeHex(rootHash) });
  const hashes = path.map((hash) => (typeof hash === "string" ? decodeHex(hash) : hash));
  if (isConsistent({ first: tree(before), second: tree(after), path: hashes })) return;
  throw failure(
    "identity/log-forked",
    `identity: the certificate log of ${after.treeSize} entries does not continue the one of ${before.treeSize} that was seen before`,
    { detail },
  );
}

/** What shows that all members of a cohort stand in the log. Members of one cohort get the same bytes, and sign for them. */
export interface MembershipProof {
  /** The head that the proof leads to. */
  treeSize: number;
  rootHash: Uint8Array;
  /** Each member's place in the log, in the order of the cohort. */
  indices: readonly number[];
  /** Of the largest subtrees that hold no member, from left to right. */
  hashes: readonly Uint8Array[];
}

const MAX_MEMBERS = 10_000;

const MembershipProof: Codec<MembershipProof> = struct({
  treeSize: u32,
  rootHash: fixedBytes(32),
  indices: list(u32, { max: MAX_MEMBERS }),
  // Each member leaves at most one subtree beside every step of its path.
  hashes: list(fixedBytes(32), { max: MAX_MEMBERS * 32 }),
});

export function encodeMembershipProof(
  proof: Omit<MembershipProof, "rootHash"> & LogHead,
): Uint8Array<ArrayBuffer> {
  return encode(MembershipProof, { ...proof, rootHash: decodeHex(proof.rootHash) });
}

/**
 * Checks that every member's certificate is in the tree whose head the proof names, and returns that head. Whether the head is one
 * to be trusted is for the caller.
 *
 * @throws identity/not-logged, codec/*
 */
export function verifyMembership(proof: Uint8Array, certificates: readonly Uint8Array[]): LogHead {
  const { treeSize, rootHash, indices, hashes } = decode(MembershipProof, proof);
  if (indices.length !== certificates.length) throw notLogged(treeSize);
  const leaves = indices
    .map((index, member) => ({ index, hash: leafHash(certificates[member]!) }))
    .sort((a, b) => a.index - b.index);
  const root = rootOfBatch({
    indices: leaves.map(({ index }) => index),
    leafHashes: leaves.map(({ hash }) => hash),
    size: treeSize,
    hashes,
  });
  if (root === undefined || !equalBytes(root, rootHash)) throw notLogged(treeSize);
  return { treeSize, rootHash: encodeHex(rootHash) as Digest };
}

function notLogged(treeSize: number): Error {
  return failure(
    "identity/not-logged",
    `identity: the certificates of this cohort are not all in the log of ${treeSize} entries`,
    { detail: { treeSize } },
  );
}
