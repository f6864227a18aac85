import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What a task's document did not say before: updates were reported one by one. */
const SPEC_BEFORE = {
  mode: "off",
  minimumCohort: 16,
  corruption: 0.05,
  dropout: 0.3,
  phaseDeadlineMs: 10_000,
  valueBits: 16,
  maxExampleLoss: 1000,
} as const;

/** How far a round's secure aggregation is; null in rounds that report updates one by one. */
export const secureRounds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await rewriteTaskSpecs(db, (before) => ({ ...before, secureAggregation: SPEC_BEFORE }));
    await db.schema.alterTable("rounds").addColumn("secure", "text").execute();
  },
};
