import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** Tasks say how their rounds follow each other; the sums of cohorts wait in a buffer for their version. */
export const bufferedMode: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("bufferedCohorts")
      .addColumn("roundId", "text", (c) => c.primaryKey().references("rounds.id"))
      .addColumn("task", "text", (c) => c.notNull().references("tasks.name"))
      .addColumn("baseVersion", "integer", (c) => c.notNull())
      .addColumn("updates", "integer", (c) => c.notNull())
      .addColumn("numExamples", "integer", (c) => c.notNull())
      .addColumn("sumDigest", "text", (c) => c.notNull())
      .addColumn("sumSizeBytes", "bigint", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("staleness", "integer")
      .addColumn("version", "integer")
      .execute();
    await db.schema
      .createIndex("bufferedCohortsByTask")
      .on("bufferedCohorts")
      .columns(["task", "version"])
      .execute();
    await rewriteTaskSpecs(db, (before) => ({ ...before, mode: { type: "synchronous" } }));
  },
};
