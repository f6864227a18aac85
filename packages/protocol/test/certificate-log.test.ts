import { encodeHex, encodeUtf8, type Digest } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  batchRanges,
  consistencyRanges,
  EMPTY_AUDIT_LOG,
  encodeMembershipProof,
  foldNodes,
  leafHash,
  logHeadOf,
  requireLogContinues,
  timestampCustom,
  verifyMembership,
  type LeafRange,
  type LogHead,
} from "../src/index.ts";

const certificates = Array.from({ length: 13 }, (_, i) => encodeUtf8(`certificate ${i}`));

/** The hash of a range of single leaves, which are full subtrees too. */
function hashOf(entries: readonly Uint8Array[], { start, end }: LeafRange): Uint8Array<ArrayBuffer> {
  const leaves = entries.slice(start, end).map((entry) => leafHash(entry));
  if (leaves.length < 2) return foldNodes(leaves);
  const half = 2 ** Math.floor(Math.log2(leaves.length - 1));
  const parts = [
    { start, end: start + half },
    { start: start + half, end },
  ];
  return foldNodes(parts.map((part) => hashOf(entries, part)));
}

function headOf(entries: readonly Uint8Array[]): LogHead {
  const rootHash = encodeHex(hashOf(entries, { start: 0, end: entries.length })) as Digest;
  return { treeSize: entries.length, rootHash };
}

describe("a membership proof", () => {
  const members = [9, 2, 3, 11];
  const proof = (changes: { indices?: number[]; head?: LogHead } = {}) => {
    const { indices = members, head = headOf(certificates) } = changes;
    const ascending = [...new Set(members)].toSorted((a, b) => a - b);
    const hashes = batchRanges(ascending, certificates.length).map((range) => hashOf(certificates, range));
    return encodeMembershipProof({ ...head, indices, hashes });
  };
  const shown = members.map((index) => certificates[index]!);
  const codeOf = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  test("leads to the head it names, in the cohort's order", () => {
    expect(verifyMembership(proof(), shown)).toEqual(headOf(certificates));
  });

  test("of a certificate that is not there, of fewer or of others is refused", () => {
    const cases = [
      () => verifyMembership(proof(), shown.with(1, encodeUtf8("invented"))),
      () => verifyMembership(proof(), shown.toReversed()),
      () => verifyMembership(proof(), shown.slice(1)),
      () => verifyMembership(proof({ indices: [9, 2, 3, 3] }), shown),
      () => verifyMembership(proof({ indices: [9, 2, 3, 13] }), shown),
      () => verifyMembership(proof({ head: { ...headOf(certificates), treeSize: 12 } }), shown),
      () =>
        verifyMembership(
          proof({ head: { ...headOf(certificates), rootHash: "0".repeat(64) as Digest } }),
          shown,
        ),
    ];
    for (const run of cases) expect(codeOf(run)).toBe("identity/not-logged");
    expect(codeOf(() => verifyMembership(new Uint8Array(0), shown))).toMatch(/^codec\//);
    expect(codeOf(() => verifyMembership(proof().subarray(1), shown))).toMatch(/^codec\/|not-logged/);
  });

  test("a head that does not continue another is a fork, a smaller one a shrunk log", () => {
    const before = certificates.slice(0, 6);
    const path = (entries: readonly Uint8Array[]) =>
      consistencyRanges(6, entries.length).map((range) => hashOf(entries, range));
    requireLogContinues(headOf(before), headOf(certificates), path(certificates));
    requireLogContinues(headOf(certificates), headOf(certificates), []);
    const forked = certificates.with(4, encodeUtf8("another"));
    expect(codeOf(() => requireLogContinues(headOf(before), headOf(forked), path(forked)))).toBe(
      "identity/log-forked",
    );
    expect(codeOf(() => requireLogContinues(headOf(certificates), headOf(forked), []))).toBe(
      "identity/log-forked",
    );
    expect(codeOf(() => requireLogContinues(headOf(certificates), headOf(before), []))).toBe(
      "identity/log-shrunk",
    );
  });

  test("a signed timestamp says the head, or something else that is none", () => {
    const head = headOf(certificates);
    expect(logHeadOf(timestampCustom(head, EMPTY_AUDIT_LOG))).toEqual(head);
    for (const other of [
      undefined,
      null,
      {},
      { certificateLog: { treeSize: -1, rootHash: head.rootHash } },
    ]) {
      expect(logHeadOf(other)).toBeUndefined();
    }
  });
});
