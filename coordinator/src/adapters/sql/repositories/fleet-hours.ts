import type { FleetHourRepository } from "../../../ports/metadata-store.ts";
import type { Db } from "../rows.ts";

export function fleetHourRepository(db: Db): FleetHourRepository {
  return {
    async put({ hour, devices }) {
      await db
        .insertInto("fleetHours")
        .values({ hour, devices })
        .onConflict((oc) =>
          oc.column("hour").doUpdateSet({ devices }).where("fleetHours.devices", "<", devices),
        )
        .execute();
    },
    since: (hour) =>
      db.selectFrom("fleetHours").selectAll().where("hour", ">=", hour).orderBy("hour").execute(),
    async prune(before) {
      await db.deleteFrom("fleetHours").where("hour", "<", before).execute();
    },
  };
}
