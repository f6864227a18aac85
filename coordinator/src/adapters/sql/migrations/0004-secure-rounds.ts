import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** How far a round's secure aggregation is; null in rounds that report updates one by one. */
export const secureRounds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("rounds").addColumn("secure", "text").execute();
  },
};
