import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Models say how images become their inputs, and outputs answers. */
export const modelProcessing: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("models").addColumn("processing", "text").execute();
  },
};
