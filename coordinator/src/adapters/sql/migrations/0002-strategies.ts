import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What a task's document did not say before: how it was averaged is now spelled out. */
const SPEC_BEFORE = {
  local: {
    learningRateSchedule: { kind: "constant" },
    proximalTerm: null,
  },
  strategy: { name: "fedAvg", parameters: { learningRate: 1 } },
} as const;

interface Tables {
  versions: { roundId: string | null; strategy: string | null };
}

/**
 * Versions remember the strategy that made them. The state of a server optimizer is a blob, as weights are; until now there
 * was only plain averaging, which has none.
 */
export const strategies: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("versions").addColumn("strategy", "text").execute();
    await db.schema.dropTable("optimizers").execute();
    await db.schema
      .createTable("optimizers")
      .addColumn("task", "text", (c) => c.primaryKey().references("tasks.name"))
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("stateDigest", "text", (c) => c.notNull())
      .addColumn("stateSizeBytes", "bigint", (c) => c.notNull())
      .execute();
    const tables = db as Kysely<Tables>;
    await tables
      .updateTable("versions")
      .set({ strategy: JSON.stringify(SPEC_BEFORE.strategy) })
      .where("roundId", "is not", null)
      .execute();
    await rewriteTaskSpecs(db, (before) => ({
      ...before,
      ...SPEC_BEFORE,
      local: { ...before.local, ...SPEC_BEFORE.local },
    }));
  },
};
