import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Channels are rows of their own, with what they pointed to before; until then each model had one, stable. */
export const channels: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const [table, key] of [
      ["channels", ["model", "name"]],
      ["channelHistory", ["model", "name", "version"]],
    ] as const)
      await db.schema
        .createTable(table)
        .addColumn("model", "text", (c) => c.notNull().references("models.name"))
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("version", "integer", (c) => c.notNull())
        .addColumn("releasedAt", "bigint", (c) => c.notNull())
        .addPrimaryKeyConstraint(`${table}_pk`, [...key])
        .execute();
    await sql`insert into channels (model, name, version, released_at)
      select name, channel, released_version, released_at from models`.execute(db);
    await sql`insert into channel_history (model, name, version, released_at)
      select versions.model, models.channel, versions.version, versions.released_at
      from versions join models on models.name = versions.model
      where versions.released_at is not null`.execute(db);
    for (const column of ["channel", "releasedVersion", "releasedAt"])
      await db.schema.alterTable("models").dropColumn(column).execute();
  },
};
