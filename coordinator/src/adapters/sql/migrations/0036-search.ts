import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The search reads versions, rounds and tasks from the newest on; what is compared asks for measurements of two versions. */
export const search: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.createIndex("versions_by_time").on("versions").column("createdAt").execute();
    await db.schema.createIndex("rounds_by_time").on("rounds").column("startedAt").execute();
    await db.schema.createIndex("tasks_by_time").on("tasks").column("createdAt").execute();
    await db.schema
      .createIndex("measurements_of_pair")
      .on("measurements")
      .columns(["model", "version", "candidate"])
      .execute();
  },
};
