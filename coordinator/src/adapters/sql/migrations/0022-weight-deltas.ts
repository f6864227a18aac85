import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** Tasks say how their steps are rounded; before, none was. What rounding leaves out is kept beside the optimizer's state. */
export const weightDeltas: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("optimizers").addColumn("residualDigest", "text").execute();
    await db.schema.alterTable("optimizers").addColumn("residualSizeBytes", "integer").execute();
    await rewriteTaskSpecs(db, (before) => ({ ...before, stepPrecision: "float32" }));
  },
};
