import { createHash } from "node:crypto";
import { encodeHex, encodeUtf8 } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  batchRanges,
  completedBy,
  consistencyRanges,
  emptyTreeHash,
  foldNodes,
  inclusionRanges,
  isConsistent,
  leafHash,
  nodeHash,
  nodesOf,
  rootOfBatch,
  rootOfInclusion,
  type LeafRange,
} from "../src/index.ts";

// A tree written down from the definitions of RFC 9162, 2.1, with another SHA-256: slow, and with nothing in common with ours.

type Bytes = Uint8Array<ArrayBuffer>;
const hash = (...parts: Uint8Array[]): Bytes => {
  const sha = createHash("sha256");
  for (const part of parts) sha.update(part);
  return new Uint8Array(sha.digest());
};
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** 2.1.1 */
function treeHash(entries: readonly Uint8Array[]): Bytes {
  if (entries.length === 0) return hash();
  if (entries.length === 1) return hash(Uint8Array.of(0), entries[0]!);
  const k = split(entries.length);
  return hash(Uint8Array.of(1), treeHash(entries.slice(0, k)), treeHash(entries.slice(k)));
}

/** 2.1.3.1 */
function path(m: number, entries: readonly Uint8Array[]): Bytes[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  return m < k
    ? [...path(m, entries.slice(0, k)), treeHash(entries.slice(k))]
    : [...path(m - k, entries.slice(k)), treeHash(entries.slice(0, k))];
}

/** 2.1.4.1 */
function proof(m: number, entries: readonly Uint8Array[], whole = true): Bytes[] {
  const n = entries.length;
  if (m === n) return whole ? [] : [treeHash(entries)];
  const k = split(n);
  return m <= k
    ? [...proof(m, entries.slice(0, k), whole), treeHash(entries.slice(k))]
    : [...proof(m - k, entries.slice(k), false), treeHash(entries.slice(0, k))];
}

const entriesOf = (size: number): Bytes[] => Array.from({ length: size }, (_, i) => encodeUtf8(`entry ${i}`));

/** As a log keeps it: leaves come one by one, and of full subtrees the hash is stored. */
function storeOf(entries: readonly Uint8Array[]) {
  const nodes = new Map<string, Bytes>();
  for (const [index, entry] of entries.entries()) {
    let latest = leafHash(entry);
    for (const node of completedBy(index)) {
      if (node.level > 0) {
        latest = nodeHash(nodes.get(`${node.level - 1} ${node.index * 2}`)!, latest);
      }
      expect(nodes.has(`${node.level} ${node.index}`)).toBe(false);
      nodes.set(`${node.level} ${node.index}`, latest);
    }
  }
  return (range: LeafRange): Bytes =>
    foldNodes(nodesOf(range).map(({ level, index }) => nodes.get(`${level} ${index}`)!));
}

const size = fc.integer({ min: 1, max: 70 });
const SEED = { seed: 20_261_128, numRuns: 300 };

describe("the Merkle tree of RFC 9162", () => {
  test("of certificate transparency's own test data", () => {
    // Leaves and roots that every implementation of RFC 6962 is tested with.
    const leaves = [
      "",
      "00",
      "10",
      "2021",
      "3031",
      "40414243",
      "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ];
    const bytes = leaves.map((text) => new Uint8Array(Buffer.from(text, "hex")));
    const roots = [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (const [i, root] of roots.entries()) {
      expect(encodeHex(storeOf(bytes.slice(0, i + 1))({ start: 0, end: i + 1 }))).toBe(root);
    }
    expect(encodeHex(emptyTreeHash())).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
  });

  test("has the naive tree's roots, and its inclusion paths lead to them and to no other leaf's", () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (n, a, b) => {
        const entries = entriesOf(n);
        const hashOf = storeOf(entries);
        const root = treeHash(entries);
        expect(hashOf({ start: 0, end: n })).toEqual(root);
        const [index, other] = [a % n, b % n];
        const hashes = inclusionRanges(index, n).map(hashOf);
        expect(hashes).toEqual(path(index, entries));
        const claim = { leafHash: leafHash(entries[index]!), index, size: n, path: hashes };
        expect(rootOfInclusion(claim)).toEqual(root);
        if (other !== index) {
          expect(rootOfInclusion({ ...claim, index: other })).not.toEqual(root);
          expect(rootOfInclusion({ ...claim, leafHash: leafHash(entries[other]!) })).not.toEqual(root);
        }
        expect(rootOfInclusion({ ...claim, path: [...hashes, root] })).toBeUndefined();
        if (hashes.length > 0) expect(rootOfInclusion({ ...claim, path: hashes.slice(1) })).toBeUndefined();
      }),
      SEED,
    );
  });

  test("proves that it continues each earlier state, and nothing that it does not continue", () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (n, a, b) => {
        const entries = entriesOf(n);
        const hashOf = storeOf(entries);
        const m = 1 + (a % n);
        const hashes = consistencyRanges(m, n).map(hashOf);
        expect(hashes).toEqual(proof(m, entries));
        const first = { size: m, rootHash: treeHash(entries.slice(0, m)) };
        const second = { size: n, rootHash: treeHash(entries) };
        expect(isConsistent({ first, second, path: hashes })).toBe(true);
        // An entry that was seen is another one now: no path makes the old state part of the new one.
        const changed = entries.with(b % m, encodeUtf8("another"));
        const forked = { size: n, rootHash: treeHash(changed) };
        expect(isConsistent({ first, second: forked, path: hashes })).toBe(false);
        expect(isConsistent({ first, second: forked, path: proof(m, changed) })).toBe(false);
        expect(isConsistent({ first, second, path: [...hashes, first.rootHash] })).toBe(false);
        if (m < n) expect(isConsistent({ first: second, second: first, path: hashes })).toBe(false);
        expect(isConsistent({ first: { size: 0, rootHash: hash() }, second, path: [] })).toBe(true);
        expect(isConsistent({ first: { size: 0, rootHash: first.rootHash }, second, path: [] })).toBe(false);
      }),
      SEED,
    );
  });

  test("proves many leaves at once with no more hashes than one by one", () => {
    fc.assert(
      fc.property(
        size,
        fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        (n, chosen, b) => {
          const entries = entriesOf(n);
          const hashOf = storeOf(entries);
          const root = treeHash(entries);
          const indices = [...new Set(chosen.map((each) => each % n))].toSorted((x, y) => x - y);
          const leafHashes = indices.map((index) => leafHash(entries[index]!));
          const hashes = batchRanges(indices, n).map(hashOf);
          expect(hashes.length).toBeLessThanOrEqual(
            indices.reduce((sum, index) => sum + inclusionRanges(index, n).length, 0),
          );
          const batch = { indices, leafHashes, size: n, hashes };
          expect(rootOfBatch(batch)).toEqual(root);
          const i = b % indices.length;
          expect(
            rootOfBatch({ ...batch, leafHashes: leafHashes.with(i, leafHash(encodeUtf8("x"))) }),
          ).not.toEqual(root);
          expect(rootOfBatch({ ...batch, hashes: [...hashes, root] })).toBeUndefined();
          if (hashes.length > 0) expect(rootOfBatch({ ...batch, hashes: hashes.slice(1) })).toBeUndefined();
          expect(rootOfBatch({ ...batch, indices: [...indices, n] })).toBeUndefined();
          expect(rootOfBatch({ ...batch, indices: [indices[0]!, ...indices] })).toBeUndefined();
        },
      ),
      SEED,
    );
  });

  test("takes no index or size that it cannot have", () => {
    const leaf = leafHash(encodeUtf8("a"));
    for (const [index, n] of [
      [0, 0],
      [1, 1],
      [-1, 1],
      [0.5, 1],
      [0, 2 ** 32],
      [0, Number.NaN],
    ] as const) {
      expect(rootOfInclusion({ leafHash: leaf, index, size: n, path: [] })).toBeUndefined();
      expect(() => inclusionRanges(index, n)).toThrow(RangeError);
    }
    for (const [first, second] of [
      [0, 1],
      [2, 1],
      [1, 0],
    ] as const) {
      expect(() => consistencyRanges(first, second)).toThrow(RangeError);
    }
    // The largest tree is walked in a moment.
    expect(inclusionRanges(2 ** 32 - 2, 2 ** 32 - 1)).toHaveLength(31);
  });
});
