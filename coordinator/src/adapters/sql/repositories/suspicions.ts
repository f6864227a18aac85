import type { SuspicionRepository } from "../../../ports/task-repositories.ts";
import { type Db, together } from "../rows.ts";

export function suspicionRepository(db: Db): SuspicionRepository {
  return {
    async list(task) {
      return db
        .selectFrom("suspicions")
        .selectAll()
        .where("task", "=", task)
        .orderBy("state")
        .orderBy("points", "desc")
        .orderBy("deviceId")
        .execute();
    },
    async get(task, deviceId) {
      return db
        .selectFrom("suspicions")
        .selectAll()
        .where("task", "=", task)
        .where("deviceId", "=", deviceId)
        .executeTakeFirst();
    },
    put: (records) =>
      together(db, async (tx) => {
        for (const record of records) {
          const { task: _, deviceId: __, ...change } = record;
          await tx
            .insertInto("suspicions")
            .values({ ...record })
            .onConflict((oc) => oc.columns(["task", "deviceId"]).doUpdateSet(change))
            .execute();
        }
      }),
    remove: (task, devices) =>
      together(db, async (tx) => {
        for (const deviceId of devices) {
          await tx
            .deleteFrom("suspicions")
            .where("task", "=", task)
            .where("deviceId", "=", deviceId)
            .execute();
        }
      }),
  };
}
