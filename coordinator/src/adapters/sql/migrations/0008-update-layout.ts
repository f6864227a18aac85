import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What a task's document did not say before: updates held all weights, and batch normalizations stood still. */
const SPEC_BEFORE = { batchNormalization: "frozen", adapters: null, maxStatisticChange: 100 } as const;

/** Models keep the graph that is trained beside the one that is published; tasks say what their updates hold. */
export const updateLayout: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("models").addColumn("trainingGraphDigest", "text").execute();
    await db.schema.alterTable("models").addColumn("trainingGraphSizeBytes", "integer").execute();
    await rewriteTaskSpecs(db, (before) => ({ ...before, ...SPEC_BEFORE }));
  },
};
