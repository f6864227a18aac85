import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Versions are released, or wait for it; tasks have gates; rounds measure. Every version of before was released at once. */
export const measurements: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("versions").addColumn("releasedAt", "bigint").execute();
    await db.schema.alterTable("versions").addColumn("gate", "text").execute();
    await sql`update versions set released_at = created_at`.execute(db);

    await db.schema
      .alterTable("models")
      .addColumn("releasedVersion", "integer", (c) => c.notNull().defaultTo(1))
      .execute();
    await db.schema
      .alterTable("models")
      .addColumn("releasedAt", "bigint", (c) => c.notNull().defaultTo(0))
      .execute();
    await sql`update models set
      released_version = current_version,
      released_at = coalesce(
        (select created_at from versions where model = models.name and version = models.current_version),
        models.created_at
      )`.execute(db);

    await db.schema.alterTable("tasks").addColumn("gatePlan", "text").execute();
    await db.schema.alterTable("tasks").addColumn("gate", "text").execute();

    await db.schema
      .alterTable("rounds")
      .addColumn("purpose", "text", (c) => c.notNull().defaultTo("train"))
      .execute();

    await db.schema
      .createTable("measurements")
      .addColumn("roundId", "text", (c) => c.primaryKey().references("rounds.id"))
      .addColumn("task", "text", (c) => c.notNull().references("tasks.name"))
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("purpose", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("candidate", "integer")
      .addColumn("devices", "integer", (c) => c.notNull())
      .addColumn("metrics", "text", (c) => c.notNull())
      .addColumn("sums", "text", (c) => c.notNull())
      .addColumn("confidence", "double precision", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .execute();
    await db.schema.createIndex("measurements_task").on("measurements").columns(["task", "at"]).execute();
  },
};
