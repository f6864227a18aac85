import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** What the versions of rounds came from, and what their tasks remembered after them. Of earlier ones nothing was kept. */
export const versionStates: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("versionStates")
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("task", "text", (c) => c.notNull())
      .addColumn("plan", "text", (c) => c.notNull())
      .addColumn("trainingRound", "integer", (c) => c.notNull())
      .addColumn("stepPrecision", "text", (c) => c.notNull())
      .addColumn("aggregate", "text")
      .addColumn("before", "text")
      .addColumn("after", "text")
      .addPrimaryKeyConstraint("version_states_pk", ["model", "version"])
      .addForeignKeyConstraint("version_states_version_fk", ["model", "version"], "versions", [
        "model",
        "version",
      ])
      .execute();
  },
};
