import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What a task's document did not say before: every task trained a classifier by plain descent. */
const SPEC_BEFORE = {
  trainable: ["*"],
  loss: { kind: "softmax-cross-entropy" },
  moreLosses: [],
  metrics: [],
} as const;
const LOCAL_BEFORE = { optimizer: { kind: "sgd" }, clipGradientNorm: null, loopSteps: 1 } as const;

/** Tasks say what they train, towards what and how; versions keep what else was measured of them. */
export const trainingOptions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable("versions")
      .addColumn("metrics", "text", (column) => column.notNull().defaultTo("{}"))
      .execute();
    await rewriteTaskSpecs(db, (before) => ({
      ...before,
      ...SPEC_BEFORE,
      local: { ...before.local, ...LOCAL_BEFORE },
    }));
  },
};
