import type { Selectable } from "kysely";
import type { SessionRecord } from "../../../ports/access-records.ts";
import type { SessionRepository } from "../../../ports/access-repositories.ts";
import { type Db, fromJson } from "../rows.ts";
import type { SessionsTable } from "../schema.ts";

export function sessionRepository(db: Db): SessionRepository {
  return {
    async insert({ grants, vouched, ...rest }) {
      await db
        .insertInto("sessions")
        .values({
          ...rest,
          grants: grants && JSON.stringify(grants),
          vouched: vouched && JSON.stringify(vouched),
        })
        .execute();
    },
    async get(id) {
      const row = await db.selectFrom("sessions").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRecord(row);
    },
    async byDigest(digest) {
      const row = await db.selectFrom("sessions").selectAll().where("digest", "=", digest).executeTakeFirst();
      return row && toRecord(row);
    },
    async list(name) {
      let query = db.selectFrom("sessions").selectAll();
      if (name !== undefined) query = query.where("name", "=", name);
      return (await query.orderBy("createdAt", "desc").orderBy("id").execute()).map(toRecord);
    },
    async touch(id, { seenAt, address, agent }) {
      await db.updateTable("sessions").set({ seenAt, address, agent }).where("id", "=", id).execute();
    },
    async remove(id) {
      const { numDeletedRows } = await db
        .deleteFrom("sessions")
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
    async prune(now, idleSince) {
      await db
        .deleteFrom("sessions")
        .where((eb) => eb.or([eb("expiresAt", "<=", now), eb("seenAt", "<=", idleSince)]))
        .execute();
    },
  };
}

function toRecord({ grants, vouched, ...rest }: Selectable<SessionsTable>): SessionRecord {
  return {
    ...rest,
    grants: grants === null ? null : fromJson(grants),
    vouched: vouched === null ? null : fromJson(vouched),
  };
}
