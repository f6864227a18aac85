import { join } from "node:path";
import { auditHash, EMPTY_AUDIT_LOG, type AuditRecord, type NewAuditRecord } from "@tributary/protocol";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AUDIT_CHECK_MS, createAuditLog } from "../../src/audit/audit-log.ts";
import { recordInDataDir } from "../../src/audit/record-in-data-dir.ts";
import { createReleases } from "../../src/releases/releases.ts";
import { signedHeads } from "../../src/releases/signed-heads.ts";
import type { AuditLog, Releases } from "../../src/rooms.ts";
import { codeOf, exampleAudit } from "../../src/testing/index.ts";
import { openRoom, type Room } from "../room.ts";

let room: Room;
let releases: Releases;
let log: AuditLog;

beforeEach(async () => {
  room = await openRoom();
  await open();
});
afterEach(async () => {
  await close();
  await room.dispose();
});

async function open(): Promise<void> {
  releases = await createReleases(room);
  log = createAuditLog({ env: room.env, store: room.store, releases });
}
async function close(): Promise<void> {
  await log.close();
  await releases.close();
}
async function restart(): Promise<void> {
  await close();
  await room.restart();
  await open();
}

const record = (...actions: NewAuditRecord["action"][]) =>
  room.store.audit.append(
    actions.map((action) => exampleAudit(action)),
    room.clock.now(),
  );

async function signed() {
  const timestamp = (await room.store.releases.latest("timestamp"))!;
  return { version: timestamp.version, head: (await signedHeads(timestamp)).audit };
}

const release = () => releases.release({ put: [] }, (change) => room.store.releases.apply(change));

/** A hand in the database, while the coordinator runs. */
function tamper(sql: string, ...values: unknown[]): void {
  const raw = new SqliteDatabase(join(room.config.dataDir, "tributary.db"));
  try {
    raw.prepare(sql).run(...values);
  } finally {
    raw.close();
  }
}

describe("the head", () => {
  test("is in the first timestamp, in every one that is signed, and soon in one where nothing else is", async () => {
    expect(await signed()).toEqual({ version: 1, head: EMPTY_AUDIT_LOG });
    await record("task.pause", "task.resume");
    await release();
    expect(await signed()).toEqual({ version: 2, head: await room.store.audit.head() });
    await record("task.pause");
    room.clock.advance(AUDIT_CHECK_MS - 1);
    expect((await signed()).version).toBe(2);
    room.clock.advance(1);
    await expect.poll(signed).toEqual({ version: 3, head: await room.store.audit.head() });
    // Nothing is signed for nothing.
    await room.clock.advanceToNextAsync();
    await room.clock.advanceToNextAsync();
    expect((await signed()).version).toBe(3);
  });

  test("has what another process recorded, and what was recorded before a stop", async () => {
    const token = exampleAudit("token.create");
    expect(await recordInDataDir(room.config.dataDir, token, room.clock.now())).toBe(true);
    await room.clock.advanceToNextAsync();
    await expect.poll(async () => (await signed()).head?.size).toBe(1);
    await record("task.pause");
    await restart();
    expect((await signed()).head).toEqual(await room.store.audit.head());
  });

  test("of records of several processes at once: each has its place", async () => {
    const outside = (at: number) => recordInDataDir(room.config.dataDir, exampleAudit("token.create"), at);
    await Promise.all(
      Array.from({ length: 24 }, async (_, at) => {
        await (at % 3 === 0
          ? outside(at)
          : room.store.transaction(async (tx) => {
              await tx.settings.set(`k${at}`, (await tx.audit.head()).size);
              await tx.audit.append([exampleAudit("task.pause")], at);
            }));
      }),
    );
    await release();
    expect((await signed()).head?.size).toBe(24);
  });

  test("a directory without a log has nothing recorded", async () => {
    expect(await recordInDataDir(join(room.config.dataDir, "none"), exampleAudit("token.create"), 1)).toBe(
      false,
    );
  });
});

describe("nothing is signed any more over a log", () => {
  beforeEach(async () => {
    await record("task.create", "task.pause", "task.resume");
    await release();
    await record("task.pause", "task.resume");
  });

  /** Its last record is another one, and hashed as if it belonged there. */
  async function forge(index: number): Promise<void> {
    const { hash: _, ...found } = (await room.store.audit.get(index))!;
    const forged: Omit<AuditRecord, "hash"> = { ...found, detail: { forged: true } };
    tamper(
      "update audit_records set detail = ?, hash = ? where record_index = ?",
      JSON.stringify(forged.detail),
      auditHash(forged),
      index,
    );
  }

  test.each<[string, () => unknown]>([
    ["whose end was cut off", () => tamper("delete from audit_records where record_index >= 2")],
    [
      "that lacks a record since the signed head",
      () => tamper("delete from audit_records where record_index = 3"),
    ],
    ["whose record at the signed head is another", () => forge(2)],
    [
      "whose record at the signed head was edited",
      () => tamper("update audit_records set object = '{}' where record_index = 2"),
    ],
    [
      "with a record that was edited since",
      () => tamper("update audit_records set action = 'x' where record_index = 4"),
    ],
    ["with one that was replaced since", () => forge(3)],
    [
      "in another order",
      () =>
        [
          [-1, 3],
          [3, 4],
          [4, -1],
        ].forEach(([to, from]) =>
          tamper("update audit_records set record_index = ? where record_index = ?", to, from),
        ),
    ],
    ["that began anew", () => tamper("delete from audit_records")],
  ])("%s", async (_, attack) => {
    await attack();
    const before = await signed();
    expect(await codeOf(release())).toBe("store/corrupt");
    expect(await codeOf(releases.signLogHeads())).toBe("store/corrupt");
    expect(await codeOf(releases.keys.rotate("timestamp"))).toBe("store/corrupt");
    expect(await signed()).toEqual(before);
    // Not after a restart either, which would sign the newest head.
    await close();
    expect(await codeOf(createReleases(room))).toBe("store/corrupt");
    releases = { close: async () => {} } as Releases;
  });
});
