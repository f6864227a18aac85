import type { Selectable } from "kysely";
import type { DeviceRepository } from "../../../ports/device-repositories.ts";
import type { DeviceRecord } from "../../../ports/device-records.ts";
import { requireRow } from "../constraint.ts";
import { type Db, ownBytes, together } from "../rows.ts";
import type { DevicesTable } from "../schema.ts";

export function deviceRepository(db: Db): DeviceRepository {
  return {
    async enrol(device) {
      await db
        .insertInto("devices")
        .values({ ...device })
        .onConflict((oc) =>
          oc.column("deviceId").doUpdateSet({
            population: device.population,
            certificateSerial: device.certificateSerial,
            certificateExpiresAt: device.certificateExpiresAt,
          }),
        )
        .execute();
    },
    async get(deviceId) {
      const row = await db
        .selectFrom("devices")
        .selectAll()
        .where("deviceId", "=", deviceId)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async list({ population, limit = 100, after } = {}) {
      let query = db.selectFrom("devices").selectAll();
      if (population !== undefined) query = query.where("population", "=", population);
      if (after !== undefined) query = query.where("deviceId", ">", after);
      const rows = await query.orderBy("deviceId").limit(limit).execute();
      return rows.map(toRecord);
    },
    async count(population, { certifiedAt } = {}) {
      let query = db.selectFrom("devices").select((eb) => eb.fn.countAll<number>().as("count"));
      if (population !== undefined) query = query.where("population", "=", population);
      if (certifiedAt !== undefined) {
        query = query.where("certificateExpiresAt", ">", certifiedAt).where("state", "=", "active");
      }
      return Number((await query.executeTakeFirstOrThrow()).count);
    },
    setState: (deviceId, state, refusedBefore) =>
      together(db, async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable("devices")
          .set({ state, ...(refusedBefore === undefined ? {} : { refusedBefore }) })
          .where("deviceId", "=", deviceId)
          .executeTakeFirstOrThrow();
        requireRow(`device ${deviceId}`, numUpdatedRows);
        // Whoever is refused runs nothing that counts.
        if (state !== "active")
          await tx.deleteFrom("deviceVersions").where("deviceId", "=", deviceId).execute();
      }),
    erase(deviceId, pseudonym) {
      return together(db, async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom("devices")
          .where("deviceId", "=", deviceId)
          .executeTakeFirstOrThrow();
        if (numDeletedRows === 0n) return false;
        for (const table of [
          "suspicions",
          "deviceHealth",
          "deviceVersions",
          "deviceTags",
          "watchedDevices",
          "auditPseudonyms",
        ] as const)
          await tx.deleteFrom(table).where("deviceId", "=", deviceId).execute();
        for (const table of ["participations", "refusals", "tokenUses"] as const) {
          await tx.updateTable(table).set({ deviceId: pseudonym }).where("deviceId", "=", deviceId).execute();
        }
        return true;
      });
    },
    useToken(use) {
      return together(db, async (tx) => {
        const uses = await tx
          .selectFrom("tokenUses")
          .select("deviceId")
          .where("tokenId", "=", use.tokenId)
          .execute();
        if (uses.some((row) => row.deviceId === use.deviceId)) return "already";
        if (uses.length >= use.maxUses) return "exhausted";
        const { maxUses: _, ...row } = use;
        await tx.insertInto("tokenUses").values(row).execute();
        return "used";
      });
    },
    async forgetTokens(expiredBefore) {
      await db.deleteFrom("tokenUses").where("expiresAt", "<", expiredBefore).execute();
    },
  };
}

function toRecord(row: Selectable<DevicesTable>): DeviceRecord {
  return {
    ...row,
    publicKey: ownBytes(row.publicKey),
  };
}
