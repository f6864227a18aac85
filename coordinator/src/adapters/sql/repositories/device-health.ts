import type { Selectable } from "kysely";
import type { DeviceHealthRepository } from "../../../ports/device-repositories.ts";
import type { DeviceHealthRecord } from "../../../ports/device-records.ts";
import { type Db, fromJson, together } from "../rows.ts";
import type { DeviceHealthTable } from "../schema.ts";

export function deviceHealthRepository(db: Db): DeviceHealthRepository {
  return {
    async get({ deviceId, model, version }) {
      const row = await db
        .selectFrom("deviceHealth")
        .selectAll()
        .where("model", "=", model)
        .where("version", "=", version)
        .where("deviceId", "=", deviceId)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    put(record, keep) {
      const { deviceId } = record;
      const row = {
        ...record,
        counts: JSON.stringify(record.counts),
        sessions: JSON.stringify(record.sessions),
      };
      return together(db, async (tx) => {
        await tx
          .insertInto("deviceHealth")
          .values(row)
          .onConflict((oc) => oc.columns(["model", "version", "deviceId"]).doUpdateSet(row))
          .execute();
        const rows = await tx
          .selectFrom("deviceHealth")
          .select(["model", "version"])
          .where("deviceId", "=", deviceId)
          .orderBy("at", "desc")
          .orderBy("version", "desc")
          .execute();
        for (const { model, version } of rows.slice(keep)) {
          await tx
            .deleteFrom("deviceHealth")
            .where("deviceId", "=", deviceId)
            .where("model", "=", model)
            .where("version", "=", version)
            .execute();
        }
      });
    },
    async list(model, { limit, after }) {
      let query = db.selectFrom("deviceHealth").selectAll().where("model", "=", model);
      if (after !== undefined) {
        query = query.where((eb) =>
          eb.or([
            eb("version", "<", after.version),
            eb.and([eb("version", "=", after.version), eb("deviceId", ">", after.deviceId)]),
          ]),
        );
      }
      const rows = await query.orderBy("version", "desc").orderBy("deviceId").limit(limit).execute();
      return rows.map(toRecord);
    },
    async toldSince(model, version, at) {
      const rows = await db
        .selectFrom("deviceHealth")
        .selectAll()
        .where("model", "=", model)
        .where("version", "=", version)
        .where("at", ">=", at)
        .orderBy("deviceId")
        .execute();
      return rows.map(toRecord);
    },
    async countDevices() {
      const row = await db
        .selectFrom("deviceHealth")
        .select((eb) => eb.fn.count<number>("deviceId").distinct().as("count"))
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async prune(toldBefore) {
      await db.deleteFrom("deviceHealth").where("at", "<", toldBefore).execute();
    },
  };
}

function toRecord({ counts, sessions, ...rest }: Selectable<DeviceHealthTable>): DeviceHealthRecord {
  return { ...rest, counts: fromJson(counts), sessions: fromJson(sessions) };
}
