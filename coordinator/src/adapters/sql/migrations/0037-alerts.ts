import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Alert rules as operators have them, alerts and their history, and silences. */
export const alerts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("alertRules")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("rule", "text", (c) => c.notNull())
      .addColumn("changedAt", "bigint", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("alerts")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("rule", "text", (c) => c.notNull())
      .addColumn("kind", "text", (c) => c.notNull())
      .addColumn("severity", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("subject", "text", (c) => c.notNull())
      .addColumn("fingerprint", "text", (c) => c.notNull())
      .addColumn("value", "double precision")
      .addColumn("threshold", "double precision")
      .addColumn("summary", "text", (c) => c.notNull())
      .addColumn("advice", "text", (c) => c.notNull())
      .addColumn("pendingSince", "bigint", (c) => c.notNull())
      .addColumn("firingSince", "bigint")
      .addColumn("resolvedAt", "bigint")
      .addColumn("acknowledgement", "text")
      .addColumn("told", "text")
      .addColumn("toldAt", "bigint")
      .execute();
    // One of each at a time.
    await db.schema
      .createIndex("alerts_open")
      .unique()
      .on("alerts")
      .column("fingerprint")
      .where("resolved_at" as never, "is", null)
      .execute();
    await db.schema
      .createTable("silences")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("matcher", "text", (c) => c.notNull())
      .addColumn("startsAt", "bigint", (c) => c.notNull())
      .addColumn("endsAt", "bigint", (c) => c.notNull())
      .addColumn("by", "text", (c) => c.notNull())
      .addColumn("comment", "text", (c) => c.notNull())
      .execute();
  },
};
