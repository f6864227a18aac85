import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Devices that were in secure cohorts whose sums failed, and those that stayed in them. */
export const suspicions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("suspicions")
      .addColumn("task", "text", (c) => c.notNull().references("tasks.name"))
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("points", "integer", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("roundId", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("suspicions_pk", ["task", "deviceId"])
      .execute();
  },
};
