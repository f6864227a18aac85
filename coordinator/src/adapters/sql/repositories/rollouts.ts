import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { RolloutRepository } from "../../../ports/rollout-repository.ts";
import type { RolloutRecord, WatchedDeviceRecord } from "../../../ports/rollout-records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, together } from "../rows.ts";
import type { RolloutsTable, WatchedDevicesTable } from "../schema.ts";

export function rolloutRepository(db: Db): RolloutRepository {
  return {
    insert: (record) =>
      constrained(
        `rollout "${record.rollout}" of "${record.model}", or another of its channel,`,
        async () => {
          await db.insertInto("rollouts").values(toRow(record)).execute();
        },
      ),
    update: (record) =>
      together(db, async (tx) => {
        const { model, rollout } = record;
        const { numUpdatedRows } = await tx
          .updateTable("rollouts")
          .set(toRow(record))
          .where("model", "=", model)
          .where("rollout", "=", rollout)
          .where("endedAt", "is", null)
          .executeTakeFirst();
        if (numUpdatedRows > 0n) return;
        throw failure("store/conflict", `store: rollout "${rollout}" of "${model}" is not under way`);
      }),
    async get(model, rollout) {
      const row = await db
        .selectFrom("rollouts")
        .selectAll()
        .where("model", "=", model)
        .where("rollout", "=", rollout)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async list(model, { limit = 100, before } = {}) {
      let query = db.selectFrom("rollouts").selectAll().where("model", "=", model);
      if (before !== undefined) query = query.where("number", "<", before);
      return (await query.orderBy("number", "desc").limit(limit).execute()).map(toRecord);
    },
    async underWay(model) {
      let query = db.selectFrom("rollouts").selectAll().where("endedAt", "is", null);
      if (model !== undefined) query = query.where("model", "=", model);
      return (await query.orderBy("model").orderBy("number").execute()).map(toRecord);
    },
    async lastNumber(model) {
      const row = await db
        .selectFrom("rollouts")
        .select((eb) => eb.fn.max("number").as("last"))
        .where("model", "=", model)
        .executeTakeFirst();
      return row?.last ?? 0;
    },
    putWatched: (records) =>
      together(db, async (tx) => {
        for (const record of records) {
          const row = { ...record, baseline: record.baseline && JSON.stringify(record.baseline) };
          await tx
            .insertInto("watchedDevices")
            .values(row)
            .onConflict((oc) => oc.columns(["model", "rollout", "version", "deviceId"]).doUpdateSet(row))
            .execute();
        }
      }),
    async watched({ model, rollout }) {
      const rows = await db
        .selectFrom("watchedDevices")
        .selectAll()
        .where("model", "=", model)
        .where("rollout", "=", rollout)
        .orderBy("version")
        .orderBy("deviceId")
        .execute();
      return rows.map(toWatched);
    },
    async forgetWatched({ model, rollout }) {
      await db
        .deleteFrom("watchedDevices")
        .where("model", "=", model)
        .where("rollout", "=", rollout)
        .execute();
    },
  };
}

function toRow({ config, state, evidence, ...rest }: RolloutRecord): Selectable<RolloutsTable> {
  return {
    ...rest,
    config: JSON.stringify(config),
    state: JSON.stringify(state),
    evidence: JSON.stringify(evidence),
  };
}

function toRecord({ config, state, evidence, ...rest }: Selectable<RolloutsTable>): RolloutRecord {
  return { ...rest, config: fromJson(config), state: fromJson(state), evidence: fromJson(evidence) };
}

function toWatched({ baseline, ...rest }: Selectable<WatchedDevicesTable>): WatchedDeviceRecord {
  return { ...rest, baseline: baseline === null ? null : fromJson(baseline) };
}
