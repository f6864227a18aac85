import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Versions that no device runs any more, and those that only newer runtimes may run. */
export const withdrawals: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("versions").addColumn("requiredRuntime", "text").execute();
    await db.schema
      .createTable("withdrawals")
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("reason", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("withdrawals_pk", ["model", "version"])
      .execute();
  },
};
