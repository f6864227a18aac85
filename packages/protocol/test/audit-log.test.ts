import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  auditHash,
  auditHeadOf,
  createAuditCheck,
  EMPTY_AUDIT_LOG,
  MAX_AUDIT_DETAIL_BYTES,
  nextAuditRecord,
  timestampCustom,
  type AuditHead,
  type AuditRecord,
  type NewAuditRecord,
} from "../src/index.ts";

const AT = Date.UTC(2026, 0, 1);

function chain(records: readonly NewAuditRecord[], at = AT): AuditRecord[] {
  let head = EMPTY_AUDIT_LOG;
  return records.map((each, index) => {
    const record = nextAuditRecord(head, each, at + index * 1000);
    head = { size: record.index + 1, hash: record.hash };
    return record;
  });
}

function headOf(records: readonly AuditRecord[]): AuditHead {
  return { size: records.length, hash: records.at(-1)?.hash ?? EMPTY_AUDIT_LOG.hash };
}

/** What is wrong with a log whose head was signed, and with which record. */
function finding(records: readonly AuditRecord[], signed: AuditHead): [string, unknown] | undefined {
  const check = createAuditCheck([{ head: signed, from: "the signed timestamp" }]);
  try {
    for (const record of records) check.add(record);
    expect(check.end()).toEqual(check.head);
    return undefined;
  } catch (error) {
    const { code, detail } = error as { code: string; detail: { index: unknown } };
    return [code, detail.index];
  }
}

const publish: NewAuditRecord = {
  actor: { kind: "operator", via: "http" },
  action: "model.publish",
  object: { model: "digits" as never, version: 1 as never },
  detail: { parentVersion: null, weights: "ab".repeat(32) },
};
const pause: NewAuditRecord = {
  actor: { kind: "coordinator", task: "digits" as never, round: "digits-00000007" as never },
  action: "task.pause-automatic",
  object: { model: "digits" as never, task: "digits" as never },
  detail: {
    reason: { code: "gate-failed", message: 'two "versions" in a row – enough' },
    loss: 0.30000000000000004,
  },
};
const resume: NewAuditRecord = {
  actor: { kind: "operator", via: "http" },
  action: "task.resume",
  object: { model: "digits" as never, task: "digits" as never },
};
const log = chain([publish, pause, resume, publish, pause, resume]);
const signed = headOf(log.slice(0, 5));

test("the vectors of SPEC.md: each line is a record, and its hash that of the line without it", () => {
  const spec = readFileSync(new URL("../SPEC.md", import.meta.url), "utf8");
  const lines = /<!-- audit vectors -->\n+```json\n([^]*?)```/.exec(spec)?.[1]?.trim().split("\n");
  expect(lines?.map((line) => JSON.parse(line) as unknown)).toEqual(chain([publish, pause, resume]));
  for (const line of lines ?? []) {
    const { hash } = JSON.parse(line) as AuditRecord;
    // By other means than the code's: the line is canonical, so that taking the field out leaves what was hashed.
    const hashed = line.replace(`"hash":"${hash}",`, "");
    expect(createHash("sha256").update(hashed).digest("hex")).toBe(hash);
  }
});

test("an untouched log comes to the head that was signed, and goes on from it", () => {
  expect(finding(log, signed)).toBeUndefined();
  expect(finding(log.slice(0, 5), signed)).toBeUndefined();
  expect(finding([], EMPTY_AUDIT_LOG)).toBeUndefined();
});

describe("is found", () => {
  const edits: Partial<AuditRecord>[] = [
    { at: "2026-01-01T00:00:02.001Z" },
    { actor: { kind: "operator", via: "files" } },
    { action: "task.pause" },
    { object: { model: "digits" as never } },
    { object: { ...pause.object, task: "digitz" as never } },
    { detail: {} },
    { detail: { ...pause.detail, more: 1 } },
    { previous: "0".repeat(64) as never },
    { hash: "0".repeat(64) as never },
    { comment: "not there before" } as never,
  ];

  test.each(edits)("an edit of one field: %j", (edit) => {
    const edited = log.with(1, { ...log[1]!, ...edit });
    expect(finding(edited, signed)).toEqual(["audit/record-edited", 1]);
  });

  test("an edit whose own hash was made anew: the next record does not follow it", () => {
    const edited = { ...log[1]!, detail: {} };
    const remade = log.with(1, { ...edited, hash: auditHash(edited) });
    expect(finding(remade, signed)).toEqual(["audit/chain-broken", 2]);
  });

  test("a removal in the middle, with the numbers of the rest as they were or moved up", () => {
    const removed = log.toSpliced(2, 1);
    expect(finding(removed, signed)).toEqual(["audit/chain-broken", 2]);
    const moved = removed.map((record, index) => ({ ...record, index }));
    expect(finding(moved, signed)).toEqual(["audit/record-edited", 2]);
    const rehashed = moved.map((record) => ({ ...record, hash: auditHash(record) }));
    expect(finding(rehashed, signed)).toEqual(["audit/chain-broken", 2]);
  });

  test("a removal of the end, by the head that was signed", () => {
    expect(finding(log.slice(0, 4), signed)).toEqual(["audit/cut-off", 4]);
    expect(finding([], signed)).toEqual(["audit/cut-off", 0]);
  });

  test("another order", () => {
    const swapped = log.with(1, log[2]!).with(2, log[1]!);
    expect(finding(swapped, signed)).toEqual(["audit/chain-broken", 1]);
    const renumbered = swapped.map((record, index) => ({ ...record, index }));
    expect(finding(renumbered, signed)).toEqual(["audit/record-edited", 1]);
  });

  test("a record that came in between, and one twice", () => {
    expect(finding(log.toSpliced(3, 0, log[2]!), signed)).toEqual(["audit/chain-broken", 3]);
  });

  test("a chain made anew after an edit, a removal or an invention, by the head that was signed", () => {
    const forged = [
      [publish, { ...pause, detail: {} }, resume, publish, pause, resume],
      [publish, resume, publish, pause, resume],
      [publish, pause, resume, resume, publish, pause, resume],
    ];
    for (const records of forged) expect(finding(chain(records), signed)).toEqual(["audit/forked", 4]);
    // Shorter than what was signed, it ends before it comes there.
    expect(finding(chain([publish, resume]), signed)).toEqual(["audit/cut-off", 2]);
  });

  test("any change of any record, wherever it is", () => {
    fc.assert(
      fc.property(
        fc.nat(4),
        fc.constantFrom("at", "actor", "action", "object", "detail", "index", "previous", "hash"),
        fc.boolean(),
        (at, field, rehashed) => {
          const record = log[at]!;
          const other: Record<string, unknown> = {
            at: new Date(AT - 1).toISOString(),
            actor: { kind: "device" },
            action: "key.set",
            object: { role: "root" },
            detail: { x: 1 },
            index: record.index + 1,
            previous: "f".repeat(64),
            hash: "f".repeat(64),
          };
          const edited = { ...record, [field]: other[field] } as AuditRecord;
          const put = rehashed && field !== "hash" ? { ...edited, hash: auditHash(edited) } : edited;
          expect(finding(log.with(at, put), signed)).toBeDefined();
        },
      ),
    );
  });
});

test("what is no JSON is recorded as JSON would write it, and reads back with the same hash", () => {
  const detail = { loss: NaN, text: "a\ud800", none: undefined, zero: -0, list: [Infinity] } as never;
  const record = nextAuditRecord(EMPTY_AUDIT_LOG, { ...resume, detail }, AT);
  expect(record.detail).toEqual({ loss: null, text: "a\ufffd", zero: 0, list: [null] });
  const read = JSON.parse(JSON.stringify(record)) as AuditRecord;
  expect(auditHash(read)).toBe(record.hash);
});

test("a detail is bounded in bytes", () => {
  const detail = (length: number) => ({ ...resume, detail: { t: "ß".repeat(length) } });
  const room = (MAX_AUDIT_DETAIL_BYTES - '{"t":""}'.length) / 2;
  expect(nextAuditRecord(EMPTY_AUDIT_LOG, detail(room), AT).index).toBe(0);
  expect(() => nextAuditRecord(EMPTY_AUDIT_LOG, detail(room + 1), AT)).toThrow(/has 4098 bytes/);
});

test("the head is read from a timestamp that has one", () => {
  const tree = { treeSize: 0, rootHash: "0".repeat(64) as never };
  expect(auditHeadOf(timestampCustom(tree, signed))).toEqual(signed);
  for (const custom of [undefined, {}, { auditLog: { size: -1, hash: signed.hash } }, { auditLog: [] }])
    expect(auditHeadOf(custom)).toBeUndefined();
});
