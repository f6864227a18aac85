import type { Digest } from "@tributary/core";
import { auditHeadAfter, EMPTY_AUDIT_LOG, nextAuditRecord, type NewAuditRecord } from "@tributary/protocol";
import SqliteDatabase from "better-sqlite3";
import { sqliteFailure } from "./coded-sqlite.ts";

/** Where a record went: nowhere, as the database has no audit log yet, or another writes at this moment. */
export type Appended = "appended" | "no-log" | "busy";

/**
 * Appends a record to the audit log of a database that a coordinator may have open: at once or not at all, as whoever waited in this
 * process would keep a coordinator in it from ending what it waits for.
 *
 * @throws `store/unavailable`, `store/database-damaged`, `store/quota-exceeded`
 */
export function appendAuditRecord(path: string, record: NewAuditRecord, at: number): Appended {
  let raw: SqliteDatabase.Database | undefined;
  try {
    raw = new SqliteDatabase(path, { fileMustExist: true, timeout: 0 });
    raw.pragma("synchronous = FULL");
    return appendIn(raw, record, at);
  } catch (error) {
    if ((error as { code?: unknown }).code === "SQLITE_BUSY") return "busy";
    throw sqliteFailure(error, path);
  } finally {
    raw?.close();
  }
}

function appendIn(raw: SqliteDatabase.Database, asked: NewAuditRecord, at: number): Appended {
  // Its tables are its coordinator's to make.
  if (raw.prepare("select 1 from sqlite_master where name = 'audit_records'").get() === undefined)
    return "no-log";
  const append = raw.transaction(() => {
    const last = raw
      .prepare<[], { index: number; hash: Digest }>(
        'select record_index as "index", hash from audit_records order by record_index desc limit 1',
      )
      .get();
    const record = nextAuditRecord(last === undefined ? EMPTY_AUDIT_LOG : auditHeadAfter(last), asked, at);
    const { index, actor, action, object, detail, previous, hash } = record;
    raw
      .prepare(
        `insert into audit_records (record_index, at, actor_kind, actor, action, object, detail, previous, hash)
          values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        index,
        at,
        actor.kind,
        JSON.stringify(actor),
        action,
        JSON.stringify(object),
        JSON.stringify(detail),
        previous,
        hash,
      );
    const subject = raw.prepare("insert into audit_subjects (field, value, record_index) values (?, ?, ?)");
    for (const [field, value] of Object.entries(object)) subject.run(field, String(value), index);
  });
  append.immediate();
  return "appended";
}
