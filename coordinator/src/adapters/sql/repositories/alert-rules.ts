import type { Selectable } from "kysely";
import type { AlertRuleRepository } from "../../../ports/alert-repositories.ts";
import type { AlertRuleRecord } from "../../../ports/alert-records.ts";
import { type Db, fromJson } from "../rows.ts";
import type { AlertRulesTable } from "../schema.ts";

export function alertRuleRepository(db: Db): AlertRuleRepository {
  return {
    list: async () => (await db.selectFrom("alertRules").selectAll().orderBy("name").execute()).map(toRecord),
    async get(name) {
      const row = await db.selectFrom("alertRules").selectAll().where("name", "=", name).executeTakeFirst();
      return row && toRecord(row);
    },
    async put({ rule, changedAt }) {
      const changes = { rule: JSON.stringify(rule), changedAt };
      await db
        .insertInto("alertRules")
        .values({ name: rule.name, ...changes })
        .onConflict((oc) => oc.column("name").doUpdateSet(changes))
        .execute();
    },
    async remove(name) {
      const { numDeletedRows } = await db
        .deleteFrom("alertRules")
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}

function toRecord({ rule, changedAt }: Selectable<AlertRulesTable>): AlertRuleRecord {
  return { rule: fromJson(rule), changedAt };
}
