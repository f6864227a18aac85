import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Rounds say when they came into each phase. */
export const roundPhases: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("rounds").addColumn("phases", "text").execute();
  },
};
