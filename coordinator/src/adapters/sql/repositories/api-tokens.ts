import type { Selectable } from "kysely";
import type { ApiTokenRecord } from "../../../ports/access-records.ts";
import type { ApiTokenRepository } from "../../../ports/access-repositories.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";
import type { ApiTokensTable } from "../schema.ts";

export function apiTokenRepository(db: Db): ApiTokenRepository {
  return {
    insert: (token) =>
      constrained(`token "${token.id}"`, async () => {
        await db
          .insertInto("apiTokens")
          .values({ ...token, grants: JSON.stringify(token.grants) })
          .execute();
      }),
    async get(id) {
      const row = await db.selectFrom("apiTokens").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRecord(row);
    },
    async list() {
      const query = db.selectFrom("apiTokens").selectAll().orderBy("createdAt", "desc").orderBy("id");
      return (await query.execute()).map(toRecord);
    },
    async touch(id, usedAt) {
      await db.updateTable("apiTokens").set({ usedAt }).where("id", "=", id).execute();
    },
    async remove(id) {
      const { numDeletedRows } = await db
        .deleteFrom("apiTokens")
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}

function toRecord({ grants, ...rest }: Selectable<ApiTokensTable>): ApiTokenRecord {
  return { ...rest, grants: fromJson(grants) };
}
