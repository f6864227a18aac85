import { encodeHex, failure, type Digest } from "@tributary/core";
import {
  batchRanges,
  completedBy,
  consistencyRanges,
  encodeMembershipProof,
  foldNodes,
  inclusionRanges,
  leafHash,
  nodeHash,
  nodesOf,
  type Certificate,
  type LeafRange,
  type LogHead,
  type TreeHash,
} from "@tributary/protocol";
import type { CertificateLogRepository } from "../ports/release-repositories.ts";

// The Merkle tree over the stored log: what is appended, and every proof, from the hashes of full subtrees.

export function leafHashOf(certificate: Uint8Array): Digest {
  return encodeHex(leafHash(certificate)) as Digest;
}

/**
 * Puts a certificate into the log, unless it is there. Meant to be part of the transaction that admits the device.
 *
 * @returns whether the log grew
 */
export async function appendCertificate(
  log: CertificateLogRepository,
  certificate: Uint8Array<ArrayBuffer>,
  { deviceId }: Pick<Certificate, "deviceId">,
  at: number,
): Promise<boolean> {
  const hash = leafHash(certificate);
  const key = encodeHex(hash) as Digest;
  if ((await log.indicesOf([key])).size > 0) return false;
  const index = await log.size();
  const completed = completedBy(index);
  // Each is joined with its left sibling, which the log has.
  const siblings = await log.nodes(
    completed.slice(0, -1).map((node) => ({ ...node, index: node.index - 1 })),
  );
  const hashes = siblings.reduce<TreeHash[]>((done, left) => [...done, nodeHash(left, done.at(-1)!)], [hash]);
  const nodes = completed.map((node, i) => ({ ...node, hash: hashes[i]! }));
  await log.append({ index, leafHash: key, deviceId, certificate, at }, nodes);
  return true;
}

/** @param size - of an earlier state; the newest where it is left out */
export async function headOf(log: CertificateLogRepository, size?: number): Promise<LogHead> {
  const treeSize = size ?? (await log.size());
  const [root] = await rangeHashes(log, [{ start: 0, end: treeSize }]);
  return { treeSize, rootHash: encodeHex(root!) as Digest };
}

/**
 * A certificate's place and its inclusion path, from the leaf up.
 *
 * @throws `identity/not-logged`
 */
export async function inclusionOf(
  log: CertificateLogRepository,
  leaf: Digest,
  treeSize: number,
): Promise<{ readonly index: number; readonly path: readonly Digest[] }> {
  const index = (await log.indicesOf([leaf])).get(leaf);
  if (index === undefined || index >= treeSize) throw notLogged(leaf, treeSize);
  return { index, path: (await rangeHashes(log, inclusionRanges(index, treeSize))).map(hex) };
}

/** @throws RangeError unless 1 <= first <= second <= size */
export async function consistencyOf(
  log: CertificateLogRepository,
  first: number,
  second: number,
): Promise<readonly Digest[]> {
  return (await rangeHashes(log, consistencyRanges(first, second))).map(hex);
}

/**
 * That all of these certificates stand in the tree of a head; see SPEC.md.
 *
 * @throws `identity/not-logged`
 */
export async function membershipProof(
  log: CertificateLogRepository,
  certificates: readonly Uint8Array[],
  { treeSize, rootHash }: LogHead,
): Promise<Uint8Array<ArrayBuffer>> {
  const leaves = certificates.map(leafHashOf);
  const found = await log.indicesOf(leaves);
  const indices = leaves.map((leaf) => {
    const index = found.get(leaf);
    if (index === undefined || index >= treeSize) throw notLogged(leaf, treeSize);
    return index;
  });
  const ascending = indices.toSorted((a, b) => a - b);
  const hashes = await rangeHashes(log, batchRanges(ascending, treeSize));
  return encodeMembershipProof({ treeSize, rootHash, indices, hashes });
}

export function notLogged(leaf: Digest, treeSize: number): Error {
  return failure(
    "identity/not-logged",
    `coordinator: certificate ${leaf} is not among the first ${treeSize} of the log`,
    { detail: { treeSize } },
  );
}

/** All nodes in one look-up. */
async function rangeHashes(log: CertificateLogRepository, ranges: readonly LeafRange[]): Promise<TreeHash[]> {
  const nodes = ranges.map(nodesOf);
  const hashes = await log.nodes(nodes.flat());
  let at = 0;
  return nodes.map(({ length }) => foldNodes(hashes.slice(at, (at += length))));
}

const hex = (hash: Uint8Array): Digest => encodeHex(hash) as Digest;
