import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Who signs in as an operator, and the browsers that did. */
export const operators: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("accounts")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("password", "text", (c) => c.notNull())
      .addColumn("grants", "text", (c) => c.notNull())
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("passwordChangedAt", "bigint", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("sessions")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("digest", "text", (c) => c.notNull().unique())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("grants", "text")
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("seenAt", "bigint", (c) => c.notNull())
      .addColumn("expiresAt", "bigint", (c) => c.notNull())
      .addColumn("address", "text", (c) => c.notNull())
      .addColumn("agent", "text", (c) => c.notNull())
      .execute();
  },
};
