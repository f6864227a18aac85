import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Tasks say why they do not run and since when they do; when each device last took part. */
export const pace: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("tasks").addColumn("reason", "text").execute();
    await db.schema
      .alterTable("tasks")
      .addColumn("activeSince", "bigint", (c) => c.notNull().defaultTo(0))
      .execute();
    await sql`update ${sql.table("tasks")} set ${sql.ref("active_since")} = ${sql.ref("created_at")}`.execute(
      db,
    );
    await db.schema
      .createTable("participations")
      .addColumn("task", "text", (c) => c.notNull().references("tasks.name"))
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("round", "integer", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("participations_pk", ["task", "deviceId"])
      .execute();
    await db.schema
      .createIndex("participations_newest")
      .on("participations")
      .columns(["task", "round"])
      .execute();
  },
};
