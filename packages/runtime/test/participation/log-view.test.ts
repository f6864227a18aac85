import { encodeHex, encodeUtf8, type Digest } from "@tributary/core";
import {
  batchRanges,
  consistencyRanges,
  encodeMembershipProof,
  foldNodes,
  leafHash,
  type LeafRange,
  type LogHead,
} from "@tributary/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { createLogView, type LogView } from "../../src/participation/log-view.ts";
import { readLogHead } from "../../src/store/log-head.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";

// The coordinator is played by the test: it holds a log, signs heads, and lies where it is told to.

const entriesOf = (count: number, name = "certificate"): Uint8Array<ArrayBuffer>[] =>
  Array.from({ length: count }, (_, i) => encodeUtf8(`${name} ${i}`));

function hashOf(entries: readonly Uint8Array[], { start, end }: LeafRange): Uint8Array<ArrayBuffer> {
  if (end - start < 2) return foldNodes(entries.slice(start, end).map((entry) => leafHash(entry)));
  const middle = start + 2 ** Math.floor(Math.log2(end - start - 1));
  return foldNodes([hashOf(entries, { start, end: middle }), hashOf(entries, { start: middle, end })]);
}

function headOf(entries: readonly Uint8Array[]): LogHead {
  const rootHash = encodeHex(hashOf(entries, { start: 0, end: entries.length })) as Digest;
  return { treeSize: entries.length, rootHash };
}

let log: Uint8Array<ArrayBuffer>[];
/** In the verified timestamp; a refresh brings the newest. */
let signed: LogHead | undefined;
let signs: () => LogHead;
let asked: string[];
let settings = createMemoryStore().settings;
let view: LogView;

const open = (): LogView =>
  createLogView({
    settings,
    releases: {
      logHead: () => signed,
      refresh() {
        asked.push("refresh");
        signed = signs();
        return Promise.resolve();
      },
    },
    http: {
      logConsistency(first, second) {
        asked.push(`${first} ${second}`);
        return Promise.resolve(
          consistencyRanges(first, second).map((range) => encodeHex(hashOf(log.slice(0, second), range))),
        );
      },
    },
  });

beforeEach(() => {
  log = entriesOf(9);
  signs = () => headOf(log);
  signed = headOf(log);
  asked = [];
  settings = createMemoryStore().settings;
  view = open();
});

function proofOf(members: readonly number[], entries = log): Uint8Array<ArrayBuffer> {
  const ascending = members.toSorted((a, b) => a - b);
  const hashes = batchRanges(ascending, entries.length).map((range) => hashOf(entries, range));
  return encodeMembershipProof({ ...headOf(entries), indices: members, hashes });
}

const certificates = (members: readonly number[]) => members.map((index) => log[index]!);
const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: { code: string }) => error.code,
  );

describe("heads", () => {
  test("that grow are followed, over restarts, with one proof each", async () => {
    expect(await readLogHead(settings)).toBeUndefined();
    await view.requireConsistent();
    await view.requireConsistent();
    expect(await readLogHead(settings)).toEqual(headOf(log));
    log = [...log, ...entriesOf(4, "later")];
    signed = headOf(log);
    await open().requireConsistent();
    expect(asked).toEqual(["9 13"]);
  });

  test("from an empty log on", async () => {
    log = [];
    signed = headOf(log);
    await view.requireConsistent();
    log = entriesOf(3);
    signed = headOf(log);
    await view.requireConsistent();
    expect(asked).toEqual([]);
  });

  test("of a log that shrank, of the same size with other entries, and of a fork are refused, now and later", async () => {
    await view.requireConsistent();
    const honest = log;
    const lies: [Uint8Array<ArrayBuffer>[], string][] = [
      [honest.slice(0, 8), "identity/log-shrunk"],
      [honest.with(3, encodeUtf8("invented")), "identity/log-forked"],
      [[...honest.with(3, encodeUtf8("invented")), ...entriesOf(2, "later")], "identity/log-forked"],
      [[], "identity/log-shrunk"],
    ];
    for (const [lie, code] of lies) {
      log = lie;
      signed = headOf(lie);
      expect(await codeOf(view.requireConsistent())).toBe(code);
      expect(await codeOf(open().requireConsistent())).toBe(code);
    }
    // Only what continues the log that was seen is believed again.
    log = [...honest, encodeUtf8("later")];
    signed = headOf(log);
    await view.requireConsistent();
  });

  test("that nobody signed are none", async () => {
    signed = undefined;
    expect(await codeOf(view.requireConsistent())).toBe("identity/log-unsigned");
  });
});

describe("members", () => {
  const members = [7, 0, 4];

  test("are believed under the signed head, an older one, and one that was signed a moment ago", async () => {
    await view.requireMembers(proofOf(members), certificates(members));
    expect(asked).toEqual([]);
    // The cohort's head is older than what this device has seen meanwhile.
    const earlier = proofOf(members);
    log = [...log, ...entriesOf(2, "later")];
    signed = headOf(log);
    await view.requireMembers(earlier, certificates(members));
    expect(asked).toEqual(["9 11", "9 11"]);
    // A member enrolled after this device looked last.
    asked = [];
    log = [...log, encodeUtf8("new")];
    await view.requireMembers(proofOf([11, 2]), certificates([11, 2]));
    expect(asked).toEqual(["refresh", "11 12"]);
  });

  test("that were invented are refused: not in the log, under a head that is not signed, or in a fork for this cohort", async () => {
    await view.requireConsistent();
    const invented = certificates(members).with(1, encodeUtf8("invented"));
    expect(await codeOf(view.requireMembers(proofOf(members), invented))).toBe("identity/not-logged");
    const unsigned = [...log, encodeUtf8("invented")];
    const proof = proofOf([9, 2], unsigned);
    const shown = [unsigned[9]!, unsigned[2]!];
    expect(await codeOf(view.requireMembers(proof, shown))).toBe("identity/log-unsigned");
    const fork = log.with(5, encodeUtf8("invented"));
    const inFork = [fork[5]!, fork[2]!];
    expect(await codeOf(view.requireMembers(proofOf([5, 2], fork), inFork))).toBe("identity/log-forked");
    // Signed for this device alone, as whoever has the online key may: it saw another log before.
    signs = () => headOf([...fork, encodeUtf8("more")]);
    log = [...fork, encodeUtf8("more")];
    expect(await codeOf(view.requireMembers(proofOf([5, 2]), inFork))).toBe("identity/log-forked");
  });
});
