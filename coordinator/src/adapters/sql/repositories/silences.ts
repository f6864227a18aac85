import type { Selectable } from "kysely";
import type { SilenceRepository } from "../../../ports/alert-repositories.ts";
import type { SilenceRecord } from "../../../ports/alert-records.ts";
import { requireRow } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";
import type { SilencesTable } from "../schema.ts";

export function silenceRepository(db: Db): SilenceRepository {
  return {
    async insert(silence) {
      const row = { ...silence, matcher: JSON.stringify(silence.matcher) };
      const { id } = await db.insertInto("silences").values(row).returning("id").executeTakeFirstOrThrow();
      return { ...silence, id };
    },
    async get(id) {
      const row = await db.selectFrom("silences").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRecord(row);
    },
    async list({ endsAfter }) {
      const rows = await db
        .selectFrom("silences")
        .selectAll()
        .where("endsAt", ">", endsAfter)
        .orderBy("endsAt")
        .orderBy("id")
        .execute();
      return rows.map(toRecord);
    },
    async end(id, at) {
      const { numUpdatedRows } = await db
        .updateTable("silences")
        .set({ endsAt: at })
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      requireRow(`silence ${id}`, numUpdatedRows);
    },
    async prune(endedBefore) {
      await db.deleteFrom("silences").where("endsAt", "<", endedBefore).execute();
    },
  };
}

function toRecord({ matcher, ...rest }: Selectable<SilencesTable>): SilenceRecord {
  return { ...rest, matcher: fromJson(matcher) };
}
