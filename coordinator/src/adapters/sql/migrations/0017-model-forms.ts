import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Models may be written in something else than ONNX, and have a graph that explains their answers. */
export const modelForms: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("models").addColumn("format", "text").execute();
    await db.schema.alterTable("models").addColumn("explanation", "text").execute();
  },
};
