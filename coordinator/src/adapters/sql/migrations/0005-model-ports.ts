import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

interface Tables {
  models: { name: string; input: string; output: string; inputs: string; outputs: string };
}

/** Models have several inputs and outputs; until now each had one. */
export const modelPorts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ["inputs", "outputs"]) {
      await db.schema
        .alterTable("models")
        .addColumn(column, "text", (c) => c.notNull().defaultTo("[]"))
        .execute();
    }
    const tables = db as Kysely<Tables>;
    const models = await tables.selectFrom("models").select(["name", "input", "output"]).execute();
    for (const { name, input, output } of models) {
      await tables
        .updateTable("models")
        .set({ inputs: `[${input}]`, outputs: `[${output}]` })
        .where("name", "=", name)
        .execute();
    }
    for (const column of ["input", "output"]) {
      await db.schema.alterTable("models").dropColumn(column).execute();
    }
  },
};
