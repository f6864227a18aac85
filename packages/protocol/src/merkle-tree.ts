import { concatBytes, equalBytes, sha256Bytes } from "@tributary/core";

// The Merkle tree of RFC 9162 (which took it from RFC 6962), section 2.1, over SHA-256. All sizes and indices are below 2^32.

/** 32 bytes. */
export type TreeHash = Uint8Array<ArrayBuffer>;

/** Leaves from `start` up to, not including, `end`. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** A subtree that is full: 2^level leaves from index x 2^level. It never changes once its last leaf is there. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Most leaves. */
export const MAX_TREE_SIZE: number = 2 ** 32 - 1;

/** Leaves and nodes are hashed apart, so that none passes for the other (RFC 9162, 2.1.1). */
export function leafHash(entry: Uint8Array): TreeHash {
  return sha256Bytes(concatBytes(Uint8Array.of(0), entry));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): TreeHash {
  return sha256Bytes(concatBytes(Uint8Array.of(1), left, right));
}

/** The hash of no leaves at all. */
export function emptyTreeHash(): TreeHash {
  return sha256Bytes(new Uint8Array(0));
}

/** The largest power of two below `size`, where a tree of two or more leaves is split. */
function splitOf(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The full subtrees that a range of the tree consists of, from left to right. `foldNodes` makes its hash of theirs. */
export function nodesOf({ start, end }: LeafRange): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = start; at < end;) {
    let level = 0;
    while (2 ** (level + 1) <= end - at) level += 1;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The hash of a range from those of its full subtrees; of none: that of the empty tree. */
export function foldNodes(hashes: readonly Uint8Array[]): TreeHash {
  if (hashes.length === 0) return emptyTreeHash();
  const joined = hashes.reduceRight((right, left) => nodeHash(left, right));
  return Uint8Array.from(joined);
}

/** The full subtrees that a new leaf completes, itself first: each is the hash of its left sibling, which is there, and the one before. */
export function completedBy(index: number): TreeNode[] {
  const nodes: TreeNode[] = [{ level: 0, index }];
  for (let at = index; at % 2 === 1; at = (at - 1) / 2) {
    nodes.push({ level: nodes.length, index: (at - 1) / 2 });
  }
  return nodes;
}

/** The ranges whose hashes are the inclusion path of a leaf, from the leaf up (RFC 9162, 2.1.3.1). */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  requireTree(size);
  if (!Number.isInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`merkle: index must be an integer of 0 to ${size - 1}, got ${index}`);
  }
  const ranges: LeafRange[] = [];
  for (let start = 0, end = size; end - start > 1;) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  return ranges;
}

/** The ranges whose hashes prove that a tree of `second` leaves begins with one of `first` (RFC 9162, 2.1.4.1). */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  requireTree(second);
  if (!Number.isInteger(first) || first < 1 || first > second) {
    throw new RangeError(`merkle: first must be an integer of 1 to ${second}, got ${first}`);
  }
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = second;
  // The old tree as a whole is a node of the new one as long as the way down went left only.
  let known = true;
  while (end !== first) {
    const middle = start + splitOf(end - start);
    if (first <= middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
      known = false;
    }
  }
  if (!known) ranges.unshift({ start, end });
  return ranges;
}

export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly path: readonly Uint8Array[];
}

/** The root that an inclusion path leads to; undefined where it cannot be one (RFC 9162, 2.1.3.2). */
export function rootOfInclusion({ leafHash: leaf, index, size, path }: InclusionClaim): TreeHash | undefined {
  if (!isTreeSize(size) || !Number.isInteger(index) || index < 0 || index >= size) return undefined;
  let node = index;
  let last = size - 1;
  let hash: TreeHash = Uint8Array.from(leaf);
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 ? hash : undefined;
}

export interface ConsistencyClaim {
  readonly first: { readonly size: number; readonly rootHash: Uint8Array };
  readonly second: { readonly size: number; readonly rootHash: Uint8Array };
  readonly path: readonly Uint8Array[];
}

/** Whether the second tree is the first one with leaves added (RFC 9162, 2.1.4.2). Every tree continues the empty one. */
export function isConsistent({ first, second, path }: ConsistencyClaim): boolean {
  if (first.size === 0) return path.length === 0 && equalBytes(first.rootHash, emptyTreeHash());
  if (!isTreeSize(first.size) || !isTreeSize(second.size) || first.size > second.size) return false;
  if (first.size === second.size) return path.length === 0 && equalBytes(first.rootHash, second.rootHash);
  const isPower = Number.isInteger(Math.log2(first.size));
  const hashes = isPower ? [first.rootHash, ...path] : path;
  let node = first.size - 1;
  let last = second.size - 1;
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let fromFirst = hashes[0];
  let fromSecond = hashes[0];
  if (fromFirst === undefined || fromSecond === undefined) return false;
  for (const sibling of hashes.slice(1)) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      fromFirst = nodeHash(sibling, fromFirst);
      fromSecond = nodeHash(sibling, fromSecond);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, half(last)];
    } else {
      fromSecond = nodeHash(fromSecond, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equalBytes(fromFirst, first.rootHash) && equalBytes(fromSecond, second.rootHash);
}

/**
 * The ranges whose hashes prove many leaves at once: the largest that hold none of them, from left to right. For one leaf they are
 * its inclusion path in another order; for all leaves there are none.
 *
 * @param indices ascending, each once
 */
export function batchRanges(indices: readonly number[], size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  walk(indices, size, {
    leaf: () => undefined,
    gap: (range) => void ranges.push(range),
    join: () => undefined,
  });
  return ranges;
}

/** The root that such a proof leads to; undefined where it cannot be one. `leafHashes` stand in the order of `indices`. */
export function rootOfBatch(options: {
  readonly indices: readonly number[];
  readonly leafHashes: readonly Uint8Array[];
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}): TreeHash | undefined {
  const { indices, leafHashes, size, hashes } = options;
  const ascends = indices.every((index, i) => Number.isInteger(index) && index > (indices[i - 1] ?? -1));
  if (!isTreeSize(size) || !ascends || indices.length === 0 || indices.at(-1)! >= size) return undefined;
  let used = 0;
  const root = walk<Uint8Array | undefined>(indices, size, {
    leaf: (i) => leafHashes[i],
    gap: () => hashes[used++],
    join: (left, right) => (left === undefined || right === undefined ? undefined : nodeHash(left, right)),
  });
  return root === undefined || used !== hashes.length ? undefined : Uint8Array.from(root);
}

/** Walks down to the given leaves and to the largest subtrees without any, and joins what comes back. */
function walk<T>(
  indices: readonly number[],
  size: number,
  visit: { leaf(i: number): T; gap(range: LeafRange): T; join(left: T, right: T): T },
): T {
  // `from` and `to` bound the indices inside the range.
  const within = ({ start, end }: LeafRange, from: number, to: number): T => {
    if (from === to) return visit.gap({ start, end });
    if (end - start === 1) return visit.leaf(from);
    const middle = start + splitOf(end - start);
    let cut = from;
    while (cut < to && indices[cut]! < middle) cut += 1;
    const left = within({ start, end: middle }, from, cut);
    return visit.join(left, within({ start: middle, end }, cut, to));
  };
  return within({ start: 0, end: size }, 0, indices.length);
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isTreeSize(size: number): boolean {
  return Number.isInteger(size) && size >= 1 && size <= MAX_TREE_SIZE;
}

function requireTree(size: number): void {
  if (isTreeSize(size)) return;
  throw new RangeError(`merkle: size must be an integer of 1 to ${MAX_TREE_SIZE}, got ${size}`);
}
