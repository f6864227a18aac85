import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Models may be published with graphs by which devices train weights of their own. */
export const personalisation: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("models").addColumn("personalisation", "text").execute();
  },
};
