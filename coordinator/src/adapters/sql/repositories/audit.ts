import type { DeviceId } from "@tributary/core";
import {
  auditHeadAfter,
  EMPTY_AUDIT_LOG,
  nextAuditRecord,
  type AuditHead,
  type AuditObject,
  type AuditRecord,
} from "@tributary/protocol";
import type { Selectable } from "kysely";
import type { AuditRepository } from "../../../ports/audit-repository.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, together } from "../rows.ts";
import type { AuditRecordsTable } from "../schema.ts";

export function auditRepository(db: Db): AuditRepository {
  return {
    head: () => headOf(db),
    append(records, at) {
      return together(db, async (tx) => {
        let head = await headOf(tx);
        const appended: AuditRecord[] = [];
        for (const each of records) {
          const record = nextAuditRecord(head, each, at);
          await constrained(`record ${record.index} of the audit log`, () => insert(tx, record, at));
          head = auditHeadAfter(record);
          appended.push(record);
        }
        return appended;
      });
    },
    async get(index) {
      const row = await db
        .selectFrom("auditRecords")
        .selectAll()
        .where("recordIndex", "=", index)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async read(from, limit) {
      const rows = await db
        .selectFrom("auditRecords")
        .selectAll()
        .where("recordIndex", ">=", from)
        .orderBy("recordIndex")
        .limit(limit)
        .execute();
      return rows.map(toRecord);
    },
    async list({ actor, action, object = {}, since, until }, { limit, before }) {
      let query = db.selectFrom("auditRecords").selectAll();
      if (actor !== undefined) query = query.where("actorKind", "=", actor);
      if (action !== undefined) query = query.where("action", "=", action);
      if (since !== undefined) query = query.where("at", ">=", since);
      if (until !== undefined) query = query.where("at", "<", until);
      if (before !== undefined) query = query.where("recordIndex", "<", before);
      for (const { field, value } of subjectsOf(object)) {
        query = query.where("recordIndex", "in", (eb) =>
          eb
            .selectFrom("auditSubjects")
            .select("auditSubjects.recordIndex")
            .where("field", "=", field)
            .where("value", "=", value),
        );
      }
      const rows = await query.orderBy("recordIndex", "desc").limit(limit).execute();
      return rows.map(toRecord);
    },
    async count(action) {
      const row = await db
        .selectFrom("auditRecords")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .where("action", "=", action)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    pseudonym: (deviceId) => pseudonymOf(db, deviceId),
    setPseudonym(deviceId, pseudonym) {
      return together(db, async (tx) => {
        const known = await pseudonymOf(tx, deviceId);
        if (known !== undefined) return known;
        await constrained(`pseudonym ${pseudonym}`, () =>
          tx.insertInto("auditPseudonyms").values({ deviceId, pseudonym }).execute(),
        );
        return pseudonym;
      });
    },
  };
}

async function headOf(db: Db): Promise<AuditHead> {
  const row = await db
    .selectFrom("auditRecords")
    .select(["recordIndex as index", "hash"])
    .orderBy("recordIndex", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? EMPTY_AUDIT_LOG : auditHeadAfter(row);
}

async function insert(db: Db, record: AuditRecord, at: number): Promise<void> {
  const { index: recordIndex, actor, action, object, detail, previous, hash } = record;
  await db
    .insertInto("auditRecords")
    .values({
      recordIndex,
      at,
      actorKind: actor.kind,
      actor: JSON.stringify(actor),
      action,
      object: JSON.stringify(object),
      detail: JSON.stringify(detail),
      previous,
      hash,
    })
    .execute();
  const subjects = subjectsOf(object).map((subject) => ({ ...subject, recordIndex }));
  if (subjects.length > 0) await db.insertInto("auditSubjects").values(subjects).execute();
}

function subjectsOf(object: AuditObject): { readonly field: keyof AuditObject; readonly value: string }[] {
  return Object.entries(object).flatMap(([field, value]) =>
    value === undefined ? [] : [{ field: field as keyof AuditObject, value: String(value) }],
  );
}

async function pseudonymOf(db: Db, deviceId: DeviceId): Promise<DeviceId | undefined> {
  const row = await db
    .selectFrom("auditPseudonyms")
    .select("pseudonym")
    .where("deviceId", "=", deviceId)
    .executeTakeFirst();
  return row?.pseudonym;
}

function toRecord(row: Selectable<AuditRecordsTable>): AuditRecord {
  return {
    index: row.recordIndex,
    at: new Date(row.at).toISOString(),
    actor: fromJson(row.actor),
    action: row.action,
    object: fromJson(row.object),
    detail: fromJson(row.detail),
    previous: row.previous,
    hash: row.hash,
  };
}
