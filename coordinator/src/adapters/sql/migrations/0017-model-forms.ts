import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Models may be written in something else than ONNX, and have a graph that explains their answers, and versions in several forms. */
export const modelForms: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("models").addColumn("format", "text").execute();
    await db.schema.alterTable("models").addColumn("explanation", "text").execute();
    await db.schema.alterTable("models").addColumn("variants", "text").execute();
    await db.schema.alterTable("versions").addColumn("variants", "text").execute();
  },
};
