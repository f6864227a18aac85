import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The session that a token ends with, where an identity provider vouched for whoever made it. */
export const sessionTokens: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable("apiTokens")
      .addColumn("session", "text", (c) => c.references("sessions.id").onDelete("cascade"))
      .execute();
    await db.schema.createIndex("apiTokensSession").on("apiTokens").column("session").execute();
  },
};
