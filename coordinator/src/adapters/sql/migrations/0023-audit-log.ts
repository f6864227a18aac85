import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The audit log begins empty: what was done before is not in it. */
export const auditLog: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("auditRecords")
      .addColumn("recordIndex", "bigint", (c) => c.primaryKey())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("actorKind", "text", (c) => c.notNull())
      .addColumn("actor", "text", (c) => c.notNull())
      .addColumn("action", "text", (c) => c.notNull())
      .addColumn("object", "text", (c) => c.notNull())
      .addColumn("detail", "text", (c) => c.notNull())
      .addColumn("previous", "text", (c) => c.notNull())
      .addColumn("hash", "text", (c) => c.notNull())
      .execute();
    await db.schema
      .createIndex("audit_records_action")
      .on("auditRecords")
      .columns(["action", "recordIndex"])
      .execute();
    await db.schema
      .createTable("auditSubjects")
      .addColumn("field", "text", (c) => c.notNull())
      .addColumn("value", "text", (c) => c.notNull())
      .addColumn("recordIndex", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("audit_subjects_pk", ["field", "value", "recordIndex"])
      .execute();
    await db.schema
      .createTable("auditPseudonyms")
      .addColumn("deviceId", "text", (c) => c.primaryKey())
      .addColumn("pseudonym", "text", (c) => c.notNull().unique())
      .execute();
  },
};
