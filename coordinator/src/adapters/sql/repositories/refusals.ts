import type { RefusalRepository } from "../../../ports/round-repositories.ts";
import { type Db, fromJson } from "../rows.ts";

export function refusalRepository(db: Db): RefusalRepository {
  return {
    async add(refusal) {
      await db
        .insertInto("refusals")
        .values({ ...refusal, detail: JSON.stringify(refusal.detail) })
        .execute();
    },
    async list({ deviceId, roundId, limit = 100, before }) {
      let query = db.selectFrom("refusals").select(["id", "deviceId", "roundId", "code", "detail", "at"]);
      if (deviceId !== undefined) query = query.where("deviceId", "=", deviceId);
      if (roundId !== undefined) query = query.where("roundId", "=", roundId);
      if (before !== undefined) query = query.where("id", "<", before);
      const rows = await query.orderBy("id", "desc").limit(limit).execute();
      return rows.map((row) => ({
        ...row,
        detail: fromJson(row.detail),
      }));
    },
    async count(deviceId, since = 0) {
      const row = await db
        .selectFrom("refusals")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .where("deviceId", "=", deviceId)
        .where("at", ">=", since)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
  };
}
