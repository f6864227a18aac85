import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Versions say how their updates compared with the server's own. */
export const trust: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("versions").addColumn("trust", "text").execute();
  },
};
