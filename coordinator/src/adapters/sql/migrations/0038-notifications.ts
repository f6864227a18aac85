import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Where alerts are told, what waits to be told there, and policies that decide without an operator. */
export const notifications: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("notificationChannels")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("channel", "text", (c) => c.notNull())
      .addColumn("secrets", "text", (c) => c.notNull())
      .addColumn("changedAt", "bigint", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("deliveries")
      .addColumn("sequence", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("id", "text", (c) => c.notNull().unique())
      .addColumn("channel", "text", (c) => c.notNull())
      .addColumn("notification", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("attempts", "integer", (c) => c.notNull())
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("nextAt", "bigint")
      .addColumn("endedAt", "bigint")
      .addColumn("lastError", "text")
      .execute();
    await db.schema
      .createIndex("deliveries_of_channel")
      .on("deliveries")
      .columns(["channel", "sequence"])
      .execute();
    await db.schema
      .createTable("policies")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("policy", "text", (c) => c.notNull())
      .addColumn("changedAt", "bigint", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("policyDecisions")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("policy", "text", (c) => c.notNull())
      .addColumn("key", "text", (c) => c.notNull())
      .addColumn("outcome", "text", (c) => c.notNull())
      .addColumn("object", "text", (c) => c.notNull())
      .addColumn("evidence", "text", (c) => c.notNull())
      .addColumn("reason", "text", (c) => c.notNull())
      .addColumn("rounds", "integer", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      // One on the same evidence: a decision is not taken twice.
      .addUniqueConstraint("policy_decisions_once", ["policy", "key"])
      .execute();
  },
};
