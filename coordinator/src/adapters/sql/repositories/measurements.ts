import { type Selectable, sql } from "kysely";
import type { MeasurementRepository } from "../../../ports/task-repositories.ts";
import type { MeasurementRecord } from "../../../ports/task-records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, newestOfTask } from "../rows.ts";
import type { MeasurementsTable } from "../schema.ts";

export function measurementRepository(db: Db): MeasurementRepository {
  return {
    async insert({ metrics, sums, ...rest }) {
      await constrained(`measurement of round "${rest.roundId}"`, () =>
        db
          .insertInto("measurements")
          .values({ ...rest, metrics: JSON.stringify(metrics), sums: JSON.stringify(sums) })
          .execute(),
      );
    },
    async list(task, { limit = 100, before } = {}) {
      return (await newestOfTask(db, "measurements", task, limit, before)).map(toRecord);
    },
    async ofPair(model, a, b) {
      const row = await db
        .selectFrom("measurements")
        .selectAll()
        .where("model", "=", model)
        .where("version", "in", [a, b])
        .where("candidate", "in", [a, b])
        .whereRef("version", "!=", "candidate")
        .orderBy("at", "desc")
        .orderBy("roundId", "desc")
        .limit(1)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async prune(keep) {
      await sql`delete from measurements where round_id in (select round_id from (select round_id,
        row_number() over (partition by task order by at desc, round_id desc) as newest,
        row_number() over (partition by task order by at, round_id) as oldest from measurements)
        where newest > ${keep} and oldest > 1)`.execute(db);
    },
    async first(task) {
      const row = await db
        .selectFrom("measurements")
        .selectAll()
        .where("task", "=", task)
        .orderBy("at")
        .orderBy("roundId")
        .limit(1)
        .executeTakeFirst();
      return row && toRecord(row);
    },
  };
}

function toRecord({ metrics, sums, ...rest }: Selectable<MeasurementsTable>): MeasurementRecord {
  return { ...rest, metrics: fromJson(metrics), sums: fromJson(sums) };
}
