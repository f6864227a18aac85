import type { Selectable } from "kysely";
import type { AlertRepository } from "../../../ports/alert-repositories.ts";
import type { AlertRecord } from "../../../ports/alert-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";
import type { AlertsTable } from "../schema.ts";

export function alertRepository(db: Db): AlertRepository {
  return {
    insert: (alert) =>
      constrained(`an alert of "${alert.rule}" about the same`, async () => {
        const { id } = await db
          .insertInto("alerts")
          .values(toRow(alert))
          .returning("id")
          .executeTakeFirstOrThrow();
        return { ...alert, id };
      }),
    async update({ id, ...alert }) {
      const { numUpdatedRows } = await db
        .updateTable("alerts")
        .set(toRow(alert))
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      requireRow(`alert ${id}`, numUpdatedRows);
    },
    async remove(ids) {
      if (ids.length > 0) await db.deleteFrom("alerts").where("id", "in", ids).execute();
    },
    async get(id) {
      const row = await db.selectFrom("alerts").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRecord(row);
    },
    async open(rule) {
      let query = db.selectFrom("alerts").selectAll().where("resolvedAt", "is", null);
      if (rule !== undefined) query = query.where("rule", "=", rule);
      return (await query.orderBy("id").execute()).map(toRecord);
    },
    async untold() {
      const query = db.selectFrom("alerts").selectAll().where("state", "=", "resolved");
      return (await query.where("told", "=", "firing").orderBy("id").execute()).map(toRecord);
    },
    async list({ state, rule, limit, before }) {
      let query = db.selectFrom("alerts").selectAll();
      if (state !== undefined) query = query.where("state", "=", state);
      if (rule !== undefined) query = query.where("rule", "=", rule);
      if (before !== undefined) query = query.where("id", "<", before);
      return (await query.orderBy("id", "desc").limit(limit).execute()).map(toRecord);
    },
    async prune(keep) {
      const oldest = await db
        .selectFrom("alerts")
        .select("id")
        .where("state", "=", "resolved")
        .orderBy("id", "desc")
        .offset(keep - 1)
        .limit(1)
        .executeTakeFirst();
      if (oldest === undefined) return;
      await db
        .deleteFrom("alerts")
        .where("state", "=", "resolved")
        .where("id", "<", oldest.id)
        .where((eb) => eb.or([eb("told", "is", null), eb("told", "=", "resolved")]))
        .execute();
    },
  };
}

function toRow({ subject, acknowledgement, ...rest }: Omit<AlertRecord, "id">) {
  return {
    ...rest,
    subject: JSON.stringify(subject),
    acknowledgement: acknowledgement && JSON.stringify(acknowledgement),
  };
}

function toRecord({ subject, acknowledgement, ...rest }: Selectable<AlertsTable>): AlertRecord {
  return {
    ...rest,
    subject: fromJson(subject),
    acknowledgement: acknowledgement === null ? null : fromJson(acknowledgement),
  };
}
