import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** What a task's document did not say before: every task trained a classifier by plain descent. */
const SPEC_BEFORE = {
  trainable: ["*"],
  loss: { kind: "softmax-cross-entropy" },
  moreLosses: [],
  metrics: [],
} as const;
const LOCAL_BEFORE = { optimizer: { kind: "sgd" }, clipGradientNorm: null, loopSteps: 1 } as const;

interface Tables {
  tasks: { name: string; spec: string };
}

/** Tasks say what they train, towards what and how; versions keep what else was measured of them. */
export const trainingOptions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable("versions")
      .addColumn("metrics", "text", (column) => column.notNull().defaultTo("{}"))
      .execute();
    const tables = db as Kysely<Tables>;
    for (const { name, spec } of await tables.selectFrom("tasks").select(["name", "spec"]).execute()) {
      const before = JSON.parse(spec) as { readonly local: object };
      const after = { ...before, ...SPEC_BEFORE, local: { ...before.local, ...LOCAL_BEFORE } };
      await tables
        .updateTable("tasks")
        .set({ spec: JSON.stringify(after) })
        .where("name", "=", name)
        .execute();
    }
  },
};
