import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Requests that must not be done twice, and what was answered. */
export const idempotentRequests: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("idempotentRequests")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("request", "text", (c) => c.notNull())
      .addColumn("bodyDigest", "text")
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("status", "integer")
      .addColumn("contentType", "text")
      .addColumn("body", "text")
      .execute();
    await db.schema.createIndex("idempotent_requests_at").on("idempotentRequests").column("at").execute();
  },
};
