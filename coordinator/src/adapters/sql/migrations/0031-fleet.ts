import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** What devices tell of themselves, the tags that their app's backend gave them, and the fleet hour by hour. */
export const fleet: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("devices").addColumn("software", "text").execute();
    await db.schema.alterTable("devices").addColumn("refusedBefore", "bigint").execute();
    await db.schema.createIndex("devices_state").on("devices").columns(["state", "deviceId"]).execute();
    await db.schema.createIndex("devices_software").on("devices").columns(["software", "deviceId"]).execute();
    // For counting, which reads it alone.
    await db.schema
      .createIndex("devices_seen")
      .on("devices")
      .columns(["state", "lastSeenAt", "population", "software"])
      .execute();

    await db.schema
      .createTable("deviceVersions")
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("engine", "text")
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("device_versions_pk", ["deviceId", "model"])
      .execute();
    await db.schema
      .createIndex("device_versions_version")
      .on("deviceVersions")
      .columns(["model", "version", "deviceId", "population"])
      .execute();
    await db.schema
      .createIndex("device_versions_engine")
      .on("deviceVersions")
      .columns(["model", "engine", "deviceId", "population"])
      .execute();

    await db.schema
      .createTable("deviceTags")
      .addColumn("tag", "text", (c) => c.notNull())
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("device_tags_pk", ["tag", "deviceId"])
      .execute();
    await db.schema.createIndex("device_tags_device").on("deviceTags").column("deviceId").execute();

    await db.schema
      .createTable("fleetHours")
      .addColumn("hour", "integer", (c) => c.notNull())
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("checkIns", "integer", (c) => c.notNull())
      .addColumn("devices", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("fleet_hours_pk", ["hour", "population"])
      .execute();
    await db.schema
      .createTable("adoption")
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("hour", "integer", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("devices", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("adoption_pk", ["model", "hour", "version", "population"])
      .execute();
    await db.schema.createIndex("adoption_hour").on("adoption").column("hour").execute();
  },
};
