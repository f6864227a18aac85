import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Rollouts, and the devices that each watches while it is under way. */
export const rollouts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("rollouts")
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("rollout", "text", (c) => c.notNull())
      .addColumn("channel", "text", (c) => c.notNull())
      .addColumn("number", "integer", (c) => c.notNull())
      .addColumn("config", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("evidence", "text", (c) => c.notNull())
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("endedAt", "bigint")
      .addPrimaryKeyConstraint("rollouts_pk", ["model", "rollout"])
      .execute();
    // One at a time.
    await db.schema
      .createIndex("rollouts_under_way")
      .unique()
      .on("rollouts")
      .columns(["model", "channel"])
      .where("ended_at" as never, "is", null)
      .execute();
    await db.schema
      .createTable("watchedDevices")
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("rollout", "text", (c) => c.notNull())
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("openedAt", "bigint", (c) => c.notNull())
      .addColumn("baseline", "text")
      .addColumn("countedAt", "bigint")
      .addPrimaryKeyConstraint("watched_devices_pk", ["model", "rollout", "version", "deviceId"])
      .execute();
  },
};
