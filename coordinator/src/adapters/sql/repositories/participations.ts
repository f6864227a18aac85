import type { ParticipationRepository } from "../../../ports/task-repositories.ts";
import { type Db, together } from "../rows.ts";

export function participationRepository(db: Db): ParticipationRepository {
  return {
    list: (task, limit) =>
      db
        .selectFrom("participations")
        .selectAll()
        .where("task", "=", task)
        .orderBy("round", "desc")
        .orderBy("deviceId")
        .limit(limit)
        .execute(),
    put: (records) =>
      together(db, async (tx) => {
        for (const record of records) {
          const { round, at } = record;
          await tx
            .insertInto("participations")
            .values({ ...record })
            .onConflict((oc) => oc.columns(["task", "deviceId"]).doUpdateSet({ round, at }))
            .execute();
        }
      }),
  };
}
