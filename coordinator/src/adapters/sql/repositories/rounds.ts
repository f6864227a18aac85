import { failure } from "@tributary/core";
import { type Selectable, sql } from "kysely";
import type { RoundRepository, SummedRound } from "../../../ports/round-repositories.ts";
import type { RoundRecord } from "../../../ports/round-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { type Db, fromJson, together } from "../rows.ts";
import type { RoundsTable } from "../schema.ts";

export function roundRepository(db: Db): RoundRepository {
  return {
    async insert(round) {
      await constrained(`round "${round.id}" (number ${round.number} of "${round.task}")`, () =>
        db.insertInto("rounds").values(toRow(round)).execute(),
      );
    },
    async update(round) {
      await together(db, async (tx) => {
        const stored = await tx
          .selectFrom("rounds")
          .select("endedAt")
          .where("id", "=", round.id)
          .executeTakeFirst();
        requireRow(`round "${round.id}"`, stored === undefined ? 0n : 1n);
        if (stored !== undefined && stored.endedAt !== null)
          throw failure("store/conflict", `store: round "${round.id}" has ended already`);
        const { id, ...changes } = toRow(round);
        await tx.updateTable("rounds").set(changes).where("id", "=", id).execute();
      });
    },
    async get(id) {
      const row = await db.selectFrom("rounds").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRecord(row);
    },
    async list(task, { limit = 100, before } = {}) {
      let query = db.selectFrom("rounds").selectAll().where("task", "=", task);
      if (before !== undefined) query = query.where("number", "<", before);
      const rows = await query.orderBy("number", "desc").limit(limit).execute();
      return rows.map(toRecord);
    },
    async course(task, { limit, upTo }) {
      let query = db
        .selectFrom("rounds")
        .select([
          "number",
          "version",
          "startedAt",
          "endedAt",
          "numExamples",
          "loss",
          "accuracy",
          "trainLoss",
          "trainAccuracy",
        ])
        .where("task", "=", task)
        .where("phase", "=", "committed")
        .where("purpose", "=", "train");
      if (upTo !== undefined) query = query.where("number", "<=", upTo);
      return (await query.orderBy("number", "desc").limit(limit).execute()).toReversed();
    },
    async summed(task, limit) {
      const { rows } = await sql<Omit<SummedRound, "private"> & { private: number }>`
        select number, purpose, started_at, case when secure is null then reported
          else json_extract(secure, '$.survivors') end as devices,
          json_extract(secure, '$.threshold') as threshold, coalesce(json_extract(secure, '$.private'), 0) as private
        from rounds where task = ${task} and phase in ('committed', 'buffered')
        order by number desc limit ${limit}`.execute(db);
      return rows.map((row) => ({ ...row, private: row.private === 1 }));
    },
    async newestVersion(task) {
      const row = await db
        .selectFrom("rounds")
        .select("version")
        .where("task", "=", task)
        .where("phase", "=", "committed")
        .where("version", "is not", null)
        .orderBy("number", "desc")
        .limit(1)
        .executeTakeFirst();
      return row?.version ?? null;
    },
    async open() {
      const rows = await db
        .selectFrom("rounds")
        .selectAll()
        .where("endedAt", "is", null)
        .orderBy("startedAt")
        .execute();
      return rows.map(toRecord);
    },
    async lastNumber(task) {
      const row = await db
        .selectFrom("rounds")
        .select((eb) => eb.fn.max("number").as("number"))
        .where("task", "=", task)
        .executeTakeFirstOrThrow();
      return row.number ?? 0;
    },
    async countCommitted(task) {
      const row = await db
        .selectFrom("rounds")
        // Several cohorts make one version in buffered mode; rounds that measure make none, and count one by one.
        .select(sql<number>`count(distinct coalesce(version, -number))`.as("count"))
        .where("task", "=", task)
        .where("phase", "=", "committed")
        .where("purpose", "!=", "gate")
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async countVersions(task, upTo) {
      // Training that was taken back left versions behind which are in nobody's line.
      const { rows } = await sql<{ count: number }>`
        with recursive line(version, parent) as (
          select version, parent_version from versions
            where version = ${upTo} and model = (select model from tasks where name = ${task})
          union all
          select versions.version, versions.parent_version from line
            join versions on versions.version = line.parent
              and versions.model = (select model from tasks where name = ${task}))
        select count(distinct version) as count from rounds
          where task = ${task} and phase = 'committed' and version in (select version from line)`.execute(db);
      return Number(rows[0]?.count ?? 0);
    },
    settleBuffered: (ids, fate) =>
      together(db, async (tx) => {
        for (const id of ids) {
          const { numUpdatedRows } = await tx
            .updateTable("rounds")
            .set(fate)
            .where("id", "=", id)
            .where("phase", "=", "buffered")
            .executeTakeFirstOrThrow();
          if (numUpdatedRows === 0n)
            throw failure("store/conflict", `store: round "${id}" is no cohort whose sum is buffered`);
        }
      }),
    async countSuperseded(task) {
      const row = await db
        .selectFrom("rounds")
        .select((eb) => eb.fn.sum<number | null>("ready").as("count"))
        .where("task", "=", task)
        .where("reason", "=", "round/superseded")
        .executeTakeFirstOrThrow();
      return Number(row.count ?? 0);
    },
  };
}

function toRow(round: RoundRecord): RoundsTable {
  const { config, secure, phases, ...rest } = round;
  return {
    ...rest,
    config: JSON.stringify(config),
    secure: secure === null ? null : JSON.stringify(secure),
    phases: JSON.stringify(phases),
  };
}

function toRecord(row: Selectable<RoundsTable>): RoundRecord {
  return {
    ...row,
    config: fromJson(row.config),
    secure: row.secure === null ? null : fromJson(row.secure),
    phases: row.phases === null ? [] : fromJson(row.phases),
  };
}
