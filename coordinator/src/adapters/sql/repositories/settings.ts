import type { SettingsRepository } from "../../../ports/event-repositories.ts";
import { type Db, fromJson } from "../rows.ts";

export function settingsRepository(db: Db): SettingsRepository {
  return {
    async get(key) {
      const row = await db.selectFrom("settings").select("value").where("key", "=", key).executeTakeFirst();
      return row && fromJson(row.value);
    },
    async set(key, value) {
      const text = JSON.stringify(value);
      await db
        .insertInto("settings")
        .values({ key, value: text })
        .onConflict((oc) => oc.column("key").doUpdateSet({ value: text }))
        .execute();
    },
  };
}
