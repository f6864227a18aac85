import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** What programs sign in with as operators. */
export const apiTokens: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("apiTokens")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("label", "text", (c) => c.notNull())
      .addColumn("grants", "text", (c) => c.notNull())
      .addColumn("account", "text")
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("expiresAt", "bigint")
      .addColumn("usedAt", "bigint")
      .execute();
  },
};
