import type { Selectable } from "kysely";
import type { NotificationChannelRepository } from "../../../ports/alert-repositories.ts";
import type { NotificationChannelRecord } from "../../../ports/alert-records.ts";
import { type Db, fromJson } from "../rows.ts";
import type { NotificationChannelsTable } from "../schema.ts";

export function notificationChannelRepository(db: Db): NotificationChannelRepository {
  return {
    list: async () =>
      (await db.selectFrom("notificationChannels").selectAll().orderBy("name").execute()).map(toRecord),
    async get(name) {
      const row = await db
        .selectFrom("notificationChannels")
        .selectAll()
        .where("name", "=", name)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async put({ channel, secrets, changedAt }) {
      const changes = { channel: JSON.stringify(channel), secrets: JSON.stringify(secrets), changedAt };
      await db
        .insertInto("notificationChannels")
        .values({ name: channel.name, ...changes })
        .onConflict((oc) => oc.column("name").doUpdateSet(changes))
        .execute();
    },
    async remove(name) {
      const { numDeletedRows } = await db
        .deleteFrom("notificationChannels")
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}

function toRecord({
  channel,
  secrets,
  changedAt,
}: Selectable<NotificationChannelsTable>): NotificationChannelRecord {
  return { channel: fromJson(channel), secrets: fromJson(secrets), changedAt };
}
