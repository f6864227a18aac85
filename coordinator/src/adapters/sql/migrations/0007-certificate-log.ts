import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The log of certificates, and the hashes of its full subtrees, from which every proof is read. */
export const certificateLog: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("certificateLog")
      .addColumn("entryIndex", "bigint", (c) => c.primaryKey())
      .addColumn("leafHash", "text", (c) => c.notNull().unique())
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("certificate", "blob", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .execute();
    await db.schema
      .createIndex("certificate_log_device")
      .on("certificateLog")
      .columns(["deviceId", "entryIndex"])
      .execute();
    await db.schema
      .createTable("certificateLogNodes")
      .addColumn("level", "integer", (c) => c.notNull())
      .addColumn("nodeIndex", "bigint", (c) => c.notNull())
      .addColumn("hash", "blob", (c) => c.notNull())
      .addPrimaryKeyConstraint("certificate_log_nodes_place", ["level", "nodeIndex"])
      .execute();
  },
};
